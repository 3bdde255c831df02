"""For any WSGI server: `gunicorn --worker-class gthread --threads 4 wsgi:app`. `ballot serve` does the same."""

from ballot.serve import build

app = build()
