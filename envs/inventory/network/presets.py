"""The named networks."""

from __future__ import annotations

from envs.inventory.network.config import NetworkConfig
from envs.inventory.network.network import make_network
from envs.inventory.preset import Preset

NETWORK_PRESETS: dict[str, Preset] = {
    "network-30": Preset(NetworkConfig, make_network, {"tree": "10-node", "products": 3}),
    "network-50": Preset(NetworkConfig, make_network, {"tree": "5-node", "products": 10}),
    "network-70": Preset(NetworkConfig, make_network, {"tree": "7-node", "products": 10}),
    "network-100": Preset(NetworkConfig, make_network, {"tree": "10-node", "products": 10}),
    # sixteen shops with a mean of 5 are what a factory that orders at most 100 can supply
    "network-100-wide": Preset(
        NetworkConfig, make_network, {"tree": "25-node", "products": 4, "demand_mode": "poisson"}
    ),
    "network": Preset(NetworkConfig, make_network),
}
"""name -> settings; `network` plays the tree in a file, `tree=PATH`."""
