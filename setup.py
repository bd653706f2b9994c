"""What pyproject.toml cannot say: where the packages lie in an installed release, and links to where it is published.

The folders of the source are packages under their own names. A wheel has them in ``cohortium/_parts``, which
``cohortium/__init__.py`` puts on the path: see docs/decisions/0035.

Whoever publishes a release says where its repository is: ``COHORTIUM_REPOSITORY=https://host/owner/cohortium``.
Without it the project's page has no links, and those in the README lead to files of a checkout only.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from setuptools import find_packages, setup

PARTS = ("server", "clients", "privacy", "simulations")
PACKAGES = find_packages(include=[pattern for part in PARTS for pattern in (part, f"{part}.*")])
REPOSITORY = os.environ.get("COHORTIUM_REPOSITORY", "").rstrip("/")

LINKS = {
    "Source": "",
    "Documentation": "/tree/main/docs",
    "Changelog": "/blob/main/CHANGELOG.md",
    "Issues": "/issues",
}


def readme() -> str:
    """The README; its links to other files lead to the published repository, where there is one."""
    text = Path("README.md").read_text(encoding="utf-8")
    return re.sub(r"\]\((?!https?:|#)", f"]({REPOSITORY}/blob/main/", text) if REPOSITORY else text


setup(
    packages=[
        *find_packages(include=["cohortium", "cohortium.*"]),
        *(f"cohortium._parts.{package}" for package in PACKAGES),
    ],
    package_dir={f"cohortium._parts.{part}": part for part in PARTS},
    long_description=readme(),
    long_description_content_type="text/markdown",
    project_urls={name: f"{REPOSITORY}{path}" for name, path in LINKS.items()} if REPOSITORY else {},
)
