/* For LD_PRELOAD: a disk that can be full, and one that remembers what was written when, and when it was flushed.
 *
 * DISK_ROOT  only files below this path are looked at
 * DISK_FULL  while a file of this name exists, nothing grows below the root: ENOSPC
 * DISK_LOG   every write, truncation, flush, renaming and removal is appended here, in the order in which it happened:
 *            one record is a line "<kind> <offset> <length> <path>[\t<other path>]\n", and for kind W the bytes that were written.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(name) ({ static typeof(&name) next; if (!next) next = (typeof(&name))dlsym(RTLD_NEXT, #name); next; })

static const char *root(void) { return getenv("DISK_ROOT"); }

/* The path of a descriptor, if it is one of a regular file below the root. */
static int ours(int fd, char *path) {
    char name[64];
    struct stat status;
    const char *below = root();
    if (!below || fstat(fd, &status) || !S_ISREG(status.st_mode)) return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return strncmp(path, below, strlen(below)) == 0;
}

static int full(void) {
    const char *flag = getenv("DISK_FULL");
    return flag && access(flag, F_OK) == 0;
}

/* Records of several processes must not mix: the log is one descriptor a process, and locked for each record. */
static void record(char kind, off_t offset, size_t length, const char *path, const char *other, const void *data) {
    static int log = -1;
    static pid_t owner;
    const char *name = getenv("DISK_LOG");
    char line[2 * PATH_MAX + 64];
    if (!name) return;
    if (log < 0 || owner != getpid()) {
        log = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        owner = getpid();
        if (log < 0) return;
    }
    int size = snprintf(line, sizeof line, "%c %lld %zu %s%s%s\n", kind, (long long)offset, length, path, other ? "\t" : "", other ? other : "");
    struct iovec parts[2] = {{line, (size_t)size}, {(void *)data, data ? length : 0}};
    flock(log, LOCK_EX);
    if (NEXT(writev)(log, parts, data ? 2 : 1) < 0) abort();
    flock(log, LOCK_UN);
}

static int grows(int fd, off_t end) {
    struct stat status;
    return fstat(fd, &status) == 0 && end > status.st_size;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    char path[PATH_MAX];
    int mine = ours(fd, path);
    if (mine && full() && grows(fd, offset + (off_t)length)) { errno = ENOSPC; return -1; }
    ssize_t done = NEXT(pwrite64)(fd, data, length, offset);
    if (mine && done > 0) record('W', offset, (size_t)done, path, NULL, data);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

ssize_t write(int fd, const void *data, size_t length) {
    char path[PATH_MAX];
    int mine = ours(fd, path);
    off_t before = 0;
    if (mine) {
        int flags = fcntl(fd, F_GETFL);
        before = lseek(fd, 0, (flags & O_APPEND) ? SEEK_END : SEEK_CUR);
        if (full() && grows(fd, before + (off_t)length)) { errno = ENOSPC; return -1; }
    }
    ssize_t done = NEXT(write)(fd, data, length);
    if (mine && done > 0) record('W', before, (size_t)done, path, NULL, data);
    return done;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        ssize_t done = pwrite64(fd, parts[i].iov_base, parts[i].iov_len, offset + total);
        if (done < 0) return total ? total : -1;
        total += done;
        if ((size_t)done < parts[i].iov_len) break;
    }
    return total;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) { return pwritev(fd, parts, count, offset); }

int ftruncate64(int fd, off64_t length) {
    char path[PATH_MAX];
    int mine = ours(fd, path);
    if (mine && full() && grows(fd, length)) { errno = ENOSPC; return -1; }
    int done = NEXT(ftruncate64)(fd, length);
    if (mine && done == 0) record('T', length, 0, path, NULL, NULL);
    return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int posix_fallocate64(int fd, off64_t offset, off64_t length) {
    char path[PATH_MAX];
    int mine = ours(fd, path);
    if (mine && full() && grows(fd, offset + length)) return ENOSPC;
    int done = NEXT(posix_fallocate64)(fd, offset, length);
    if (mine && done == 0) record('A', offset + length, 0, path, NULL, NULL);
    return done;
}

int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }

int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
    char path[PATH_MAX];
    int mine = ours(fd, path);
    if (mine && full() && grows(fd, offset + length)) { errno = ENOSPC; return -1; }
    int done = NEXT(fallocate64)(fd, mode, offset, length);
    if (mine && done == 0) record('A', offset + length, 0, path, NULL, NULL);
    return done;
}

int fallocate(int fd, int mode, off_t offset, off_t length) { return fallocate64(fd, mode, offset, length); }

/* A flush is written down when it has happened: what was asked for and not answered may be lost. */
static int flushed(int fd, int done) {
    char path[PATH_MAX];
    if (done == 0 && ours(fd, path)) record('S', 0, 0, path, NULL, NULL);
    return done;
}

int fsync(int fd) { return flushed(fd, NEXT(fsync)(fd)); }
int fdatasync(int fd) { return flushed(fd, NEXT(fdatasync)(fd)); }

static int below(const char *path, char *whole) {
    const char *top = root();
    if (!top || !path) return 0;
    if (path[0] == '/') snprintf(whole, PATH_MAX, "%s", path);
    else {
        char here[PATH_MAX];
        if (!getcwd(here, sizeof here) || strlen(here) + strlen(path) + 2 > PATH_MAX) return 0;
        memcpy(whole, here, strlen(here));
        whole[strlen(here)] = '/';
        strcpy(whole + strlen(here) + 1, path);
    }
    return strncmp(whole, top, strlen(top)) == 0;
}

int rename(const char *old, const char *new) {
    char from[PATH_MAX], to[PATH_MAX];
    int done = NEXT(rename)(old, new);
    if (done == 0 && below(old, from) && below(new, to)) record('R', 0, 0, from, to, NULL);
    return done;
}

int unlink(const char *path) {
    char whole[PATH_MAX];
    int done = NEXT(unlink)(path);
    if (done == 0 && below(path, whole)) record('U', 0, 0, whole, NULL, NULL);
    return done;
}
