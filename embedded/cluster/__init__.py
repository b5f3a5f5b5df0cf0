"""The embedded cluster: real Kubernetes, each node in a network, mount and PID namespace of its own.

The machine sees one interface, some firewall rules and the listeners of the relay, and of further nodes a bridge;
everything else — bridges, mounts, iptables chains, ports — is inside the namespaces and is gone with them.
"""
