"""Draws the dependency graph of the stack, from what Pulumi's engine recorded.

    .venv/bin/python -m docs.graph

Graphviz would have to be installed, lays out one box a resource, and differently from version to version; what is here
is small because only components are laid out, and gives the same bytes everywhere.

`recorded` reads the resources, `model` groups them by component and leaves out what other edges imply, `rows` arranges
the inside of a component, `layers` places the components, `lines` leads the lines between them, `svg` writes it all.
"""
