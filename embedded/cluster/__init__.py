"""The embedded cluster: one node of real Kubernetes in a network, mount and PID namespace of its own.

The machine sees one interface, three firewall rules and the listeners of the relay; everything else — bridges, mounts,
iptables chains, ports — is inside the namespaces and is gone with them.
"""
