"""The Pulumi resource plugin ``kubernetes``, for machines where the official one can't be had.

It follows the documented behaviour of pulumi-kubernetes v4 and refuses, by name, what it doesn't do. It imports nothing
from the rest of the project, since it is packed into a plugin archive of its own.
"""

VERSION = "4.34.2"
"""The version of the official plugin (and of its SDK) whose behaviour this one follows."""
