"""Cilium, which can't be there."""

from embedded.addons.addon import Addon

ADDON = Addon(refused="Cilium has to be the first CNI of a cluster, and the embedded cluster has one")
