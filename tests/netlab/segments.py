"""Segments with several hosts: each is a bridge in the namespace `switch`."""


class Segments:
    """br1, br2, ... in `switch`; hosts and relays are attached to them by veth pairs."""

    def __init__(self, world, count):
        self.world = world
        self._ports = 0
        world.namespace("switch")
        for number in range(1, count + 1):
            world.sh(f"ip -n switch link add br{number} type bridge mcast_snooping 0")
            world.sh(f"ip -n switch link set br{number} up")

    def attach(self, namespace, interface, segment, host):
        """An interface with the address 10.SEGMENT.0.HOST/24 on the segment."""
        self._ports += 1
        port = f"p{self._ports}"
        self.world.link("switch", port, None, namespace, interface, f"10.{segment}.0.{host}/24")
        self.world.sh(f"ip -n switch link set {port} master br{segment}")

    def wire(self, one, other):
        """Joins two segments."""
        self._ports += 2
        near, far = f"p{self._ports - 1}", f"p{self._ports}"
        self.world.link("switch", near, None, "switch", far, None)
        self.world.sh(f"ip -n switch link set {near} master br{one}")
        self.world.sh(f"ip -n switch link set {far} master br{other}")
