"""Whether what a stack has deployed is healthy, and why it isn't.

The stack's state names the objects of each component; how they are is asked of the API server, once.
"""
