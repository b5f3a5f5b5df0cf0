"""What the pods of a site have written: from the nodes while the pods are there, and from Loki."""
