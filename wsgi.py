"""What gunicorn runs: `gunicorn wsgi:app`."""

import os

from ballot.app import create_app
from ballot.config import Config

app = create_app(Config.from_environ(os.environ))
