"""An interface's offloads, as ethtool(8) names them."""

from netlab.expect import Failure


def switch(world, namespace, interface, **features):
    """Turns features on or off; `_` stands for the `-` of a name."""
    words = " ".join(
        f"{name.replace('_', '-')} {'on' if on else 'off'}" for name, on in features.items()
    )
    world.sh(f"ethtool -K {interface} {words}", namespace)


def is_on(world, namespace, interface, feature):
    for line in world.sh(f"ethtool -k {interface}", namespace).splitlines():
        name, _, value = line.strip().partition(": ")
        if name == feature:
            return value.split()[0] == "on"
    raise Failure(f"ethtool knows no {feature} of {interface}")
