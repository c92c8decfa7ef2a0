"""``python -m cartwire`` is the ``cartwire`` command."""

from .cli import main

raise SystemExit(main())
