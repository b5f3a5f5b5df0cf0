"""What the stack is made of: one ComponentResource a file.

Components are registered without inputs of their own: Pulumi would hold back all children of a component until all of
its inputs are known, so a site's namespace would wait for its image. The edges are those of the children.
"""
