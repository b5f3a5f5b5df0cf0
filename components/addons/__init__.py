"""What the cluster offers to the sites: one component each, switched on in ``inspiration:addons``."""
