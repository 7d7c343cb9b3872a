"""Floor 8, beside the command line: runs served over HTTP, and pages that `make web` builds from `web/` into `site/`"""
