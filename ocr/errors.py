"""The root of the errors that a user can mend: the command line prints them without a traceback."""


class OcrError(ValueError):
    """Bad input, data, configuration or weights; the message names the file and the reason."""
