"""For tools that know neither pyproject.toml nor setup.cfg's metadata, such as those of Python 2.7."""

from setuptools import setup

setup()
