"""One member, one vote: a balloting service that a membership organisation hosts itself."""

__version__ = "0.1.0"
