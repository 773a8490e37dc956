"""What a run leaves behind, a file for each kind of output."""

import logging

# Where the user's folder cannot be written it says so on the error stream, which nobody can do anything about here.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
