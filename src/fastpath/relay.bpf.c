// The relay inside the kernel: a tc ingress program. README.md beside this file has its theory.
//
// It decides frame by frame. A frame of a destination in the plain table that needs nothing but new
// headers is sent to each output, and marked; the worker's packet filter drops what is marked. Any
// other frame is left as it is, and the worker takes it as if this program were not there. Nothing
// of a frame is changed before it is certain that the program takes it.
#include "mcr/fastpath/relay.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"

#define INLINE static __always_inline
// A function with a stack of its own. Those of all calls together, rounded up, have 512 bytes.
#define CALL static __attribute__((noinline))

// The numbers of OutputDrop (packet/drop_reason.hpp); a test compares them.
enum {
  DROP_TTL_EXPIRED = 0,
  DROP_EGRESS_FULL = 3,
  DROP_NO_MEMORY = 4,
  DROP_OUTPUT_DOWN = 6,
  DROP_SEND_ERROR = 7,
};

// Results of bpf_clone_redirect(): a negative errno value, or a NET_XMIT_* of linux/netdevice.h.
enum {
  SENT = 0,
  QUEUE_FULL = 1,
  QUEUE_CONGESTED = 2,
  NO_MEMORY = -12,
  NET_DOWN = -100,
  INVALID = -22
};

enum {
  BYTES_V4 = sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr),
  BYTES_V6 = sizeof(struct ethhdr) + sizeof(struct ipv6hdr) + sizeof(struct udphdr),
};

/// A source and a destination port; as one word for bpf_csum_diff().
#define PORTS(name) __u16 name[2] __attribute__((aligned(4)))

/// One frame on its way.
struct frame {
  struct __sk_buff* skb;
  void* table;
  struct headers original;
  __u32 addresses[8];  // that the frame has now: source, destination
  PORTS(ports);        // likewise
  __u32 source[4];     // of the original
  PORTS(arrived);      // likewise
  __u32 payload;       // bytes of UDP payload
  __u32 segment;       // bytes of each datagram of a superframe; 0: it is none
  __u32 datagrams;
  __u32 first_step;
  __u16 checksum;  // UDP's
  __u16 length;    // likewise, as in the header
  __u8 v6;
  __u8 ttl;
  __u8 own;       // this relay has sent it
  __u8 admitted;  // the entry of the outputs that follow takes it
  __u8 taken;     // some entry took it
};

INLINE union mcr_cell* cell(void* table, __u32 index) {
  return bpf_map_lookup_elem(table, &index);
}

INLINE int same_address(const __u32 a[4], const __u32 b[4]) {
  return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

/// True if a < b, without branches: they would multiply what the verifier has to look at.
INLINE int is_before(const __u32 a[4], const __u32 b[4]) {
  const __u64 high_a = (__u64)bpf_ntohl(a[0]) << 32 | bpf_ntohl(a[1]);
  const __u64 high_b = (__u64)bpf_ntohl(b[0]) << 32 | bpf_ntohl(b[1]);
  const __u64 low_a = (__u64)bpf_ntohl(a[2]) << 32 | bpf_ntohl(a[3]);
  const __u64 low_b = (__u64)bpf_ntohl(b[2]) << 32 | bpf_ntohl(b[3]);
  return (high_a < high_b) | ((high_a == high_b) & (low_a < low_b));
}

INLINE __u16 fold(__u64 sum) {
  sum = (sum & 0xFFFFFFFF) + (sum >> 32);
  sum = (sum & 0xFFFF) + (sum >> 16);
  sum = (sum & 0xFFFF) + (sum >> 16);
  sum = (sum & 0xFFFF) + (sum >> 16);
  return (__u16)sum;
}

/// The sum of its 20 bytes.
INLINE __u16 ipv4_header_sum(const struct iphdr* header) {
  const __u32* words = (const __u32*)header;
  __u64 sum = 0;
#pragma unroll
  for (int i = 0; i < 5; ++i)
    sum += words[i];
  return fold(sum);
}

// ---- reading ----

struct summing {
  struct __sk_buff* skb;
  __u32 at;
  __u32 end;
  __u32 sum;
  int failed;
};

static long add_chunk(__u32 number __attribute__((unused)), void* context) {
  struct summing* summing = context;
  const __u32 zero = 0;
  __u8* chunk = bpf_map_lookup_elem(&mcr_chunk, &zero);
  const __u32 left = summing->end - summing->at;
  summing->failed = 1;
  if (!chunk || left == 0) return 1;
  // From 1 to CHUNK, in words that the verifier of Linux 6.1 understands.
  __u32 last = left > CHUNK ? CHUNK - 1 : left - 1;
  asm volatile("" : "+r"(last));
  last &= CHUNK - 1;
  *(__u32*)(chunk + (last & ~3U)) = 0;
  if (bpf_skb_load_bytes(summing->skb, summing->at, chunk, last + 1) != 0) return 1;
  const __u32 bytes = (last & ~3U) + 4;
  const __s64 sum = bpf_csum_diff(0, 0, (__be32*)chunk, bytes, summing->sum);
  if (sum < 0) return 1;
  summing->sum = (__u32)sum;
  summing->at += last + 1;
  summing->failed = 0;
  return summing->at >= summing->end;
}

/// The sum of `bytes` bytes from `at` on and of `sum`; 0 if they cannot be read.
CALL __u16 sum_from(struct __sk_buff* skb, __u32 at, __u32 bytes, __u32 sum) {
  struct summing summing = {.skb = skb, .at = at, .end = at + bytes, .sum = sum};
  bpf_loop(65536 / CHUNK, add_chunk, &summing, 0);
  return summing.failed ? 0 : fold(summing.sum);
}

INLINE __u64 pseudo_sum(const struct frame* frame) {
  __u64 sum = bpf_htons(IPPROTO_UDP) + frame->length;
#pragma unroll
  for (int i = 0; i < 8; ++i)
    sum += frame->addresses[i];
  return sum;
}

/// True if the UDP checksum is right, or the kernel says so, or it will be filled in when the frame
/// is sent.
INLINE int is_intact(struct frame* frame, __u32 udp_at) {
  if (frame->checksum == 0) return !frame->v6;
  if (bpf_csum_level(frame->skb, BPF_CSUM_LEVEL_QUERY) >= 0) return 1;
  const __u16 pseudo = fold(pseudo_sum(frame));
  // CHECKSUM_PARTIAL: the field has the sum of the pseudo header. A whole checksum that looks the
  // same by chance is treated as right here, and stays what it is.
  if (pseudo == frame->checksum) return 1;
  if (frame->segment != 0) return 0;
  return sum_from(frame->skb, udp_at, bpf_ntohs(frame->length), pseudo) == 0xFFFF;
}

/// Fills `frame` from a frame that is plain. Its IP packet has `*bytes`.
INLINE int read_v4(struct frame* frame, __u32* bytes) {
  struct headers* headers = &frame->original;
  if (bpf_skb_load_bytes(frame->skb, 0, &headers->link, BYTES_V4) != 0) return 0;
  const struct iphdr* ip = &headers->v4.ip;
  if (ip->version != 4 || ip->ihl != 5 || ip->protocol != IPPROTO_UDP) return 0;
  if ((ip->frag_off & bpf_htons(0x3FFF)) != 0) return 0;
  if (ipv4_header_sum(ip) != 0xFFFF) return 0;
  *bytes = bpf_ntohs(ip->tot_len);
  if (bpf_ntohs(headers->v4.udp.len) + sizeof(struct iphdr) != *bytes) return 0;
  frame->ttl = ip->ttl;
  frame->checksum = headers->v4.udp.check;
  frame->length = headers->v4.udp.len;
  frame->addresses[0] = ip->saddr;
  frame->addresses[4] = ip->daddr;
  frame->ports[0] = headers->v4.udp.source;
  frame->ports[1] = headers->v4.udp.dest;
  return 1;
}

INLINE int read_v6(struct frame* frame, __u32* bytes) {
  struct headers* headers = &frame->original;
  if (bpf_skb_load_bytes(frame->skb, 0, &headers->link, BYTES_V6) != 0) return 0;
  const struct ipv6hdr* ip = &headers->v6.ip;
  if (ip->version != 6 || ip->nexthdr != IPPROTO_UDP) return 0;
  *bytes = bpf_ntohs(ip->payload_len) + sizeof(struct ipv6hdr);
  if (headers->v6.udp.len != ip->payload_len) return 0;
  frame->ttl = ip->hop_limit;
  frame->checksum = headers->v6.udp.check;
  frame->length = headers->v6.udp.len;
  __builtin_memcpy(frame->addresses, &ip->saddr, 32);
  frame->ports[0] = headers->v6.udp.source;
  frame->ports[1] = headers->v6.udp.dest;
  return 1;
}

/// The number of datagrams; 0: not known.
INLINE __u32 count_datagrams(const struct frame* frame) {
  const __u32 size = frame->segment;
  if (size == 0) return 1;
  // Not from UDP GRO or UDP_SEGMENT of a kernel: such frames have no number.
  if (frame->skb->gso_segs == 0 || frame->payload == 0) return 0;
  return (frame->payload + size - 1) / size;
}

/// An address that a datagram may come from.
INLINE int is_host(const struct frame* frame) {
  const __u32 first = frame->addresses[0];
  const __u8 byte = *(const __u8*)&frame->addresses[0];
  if (frame->v6) return byte != 0xFF && (first | frame->addresses[1] | frame->addresses[2]) != 0;
  return first != 0 && byte != 127 && byte < 224;
}

INLINE struct mcr_bucket* find_bucket(const struct frame* frame, const struct mcr_head* head) {
  const __u32* address = &frame->addresses[4];
  const __u16 port = frame->ports[1];
  const __u32 interface = frame->skb->ifindex;
  const __u32 hash = mcr_hash(address, port, interface);
  for (__u32 i = 0; i < MCR_MOST_PROBES; ++i) {
    union mcr_cell* found =
        cell(frame->table, head->first_bucket + ((hash + i) & (head->buckets - 1)));
    if (!found || found->bucket.family == 0) return 0;
    if (found->bucket.interface == interface && found->bucket.port == port &&
        found->bucket.family == (frame->v6 ? MCR_IPV6 : MCR_IPV4) &&
        same_address(found->bucket.address, address))
      return &found->bucket;
  }
  return 0;
}

INLINE int is_own(const struct frame* frame, const struct mcr_head* head) {
  if (head->owns == 0) return 0;
  const __u16 port = frame->ports[0];
  const __u32 hash = mcr_hash(frame->addresses, port, 0);
  for (__u32 i = 0; i < MCR_MOST_PROBES; ++i) {
    union mcr_cell* found = cell(frame->table, head->first_own + ((hash + i) & (head->owns - 1)));
    if (!found || found->own.family == 0) return 0;
    if (found->own.port == port && found->own.family == (frame->v6 ? MCR_IPV6 : MCR_IPV4) &&
        same_address(found->own.address, frame->addresses))
      return 1;
  }
  return 0;
}

// ---- sending ----

/// Brings the UDP checksum from the headers that the frame has now to new ones.
INLINE int update_checksum(struct frame* frame, const __u32 addresses[8], const __u16 ports[2]) {
  const __u32 at = frame->v6 ? BYTES_V6 - 2 : BYTES_V4 - 2;
  const __s64 addressed = bpf_csum_diff(frame->addresses, sizeof frame->addresses,
                                        (__be32*)addresses, sizeof frame->addresses, 0);
  const __s64 ported = bpf_csum_diff((__be32*)frame->ports, 4, (__be32*)ports, 4, 0);
  if (bpf_l4_csum_replace(frame->skb, at, 0, addressed, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0) !=
          0 ||
      bpf_l4_csum_replace(frame->skb, at, 0, ported, BPF_F_MARK_MANGLED_0) != 0)
    return 0;
  __builtin_memcpy(frame->addresses, addresses, sizeof frame->addresses);
  __builtin_memcpy(frame->ports, ports, sizeof frame->ports);
  return 1;
}

/// The TTL of a copy; 0: it must not leave.
INLINE __u8 ttl_of(const struct mcr_step* step, __u8 original) {
  if (step->ttl_mode == MCR_TTL_PRESERVED) return original;
  if (step->ttl_mode == MCR_TTL_DECREMENTED) return original > 1 ? original - 1 : 0;
  return step->output.ttl;
}

INLINE void write_link(struct ethhdr* link, const struct mcr_output* output, int v6) {
  __builtin_memcpy(link->h_source, output->link_source, 6);
  const __u8* group = (const __u8*)output->destination;
  if (v6) {  // RFC 2464
    link->h_dest[0] = link->h_dest[1] = 0x33;
    __builtin_memcpy(&link->h_dest[2], group + 12, 4);
  } else {  // RFC 1112
    link->h_dest[0] = 0x01;
    link->h_dest[1] = 0x00;
    link->h_dest[2] = 0x5E;
    link->h_dest[3] = group[1] & 0x7F;
    link->h_dest[4] = group[2];
    link->h_dest[5] = group[3];
  }
}

/// Gives the frame the headers of an output. False: the kernel has no memory for it.
INLINE int rewrite(struct frame* frame, const struct mcr_step* step, __u8 ttl) {
  const __u32 zero = 0;
  const struct mcr_output* output = &step->output;
  struct headers* headers = bpf_map_lookup_elem(&mcr_headers, &zero);
  if (!headers) return 0;
  *headers = frame->original;
  __u32 addresses[8];
  if (step->source_preserved)
    __builtin_memcpy(addresses, frame->source, 16);
  else
    __builtin_memcpy(addresses, output->source, 16);
  __builtin_memcpy(&addresses[4], output->destination, 16);
  write_link(&headers->link, output, frame->v6);
  PORTS(ports) = {output->source_port != 0 ? output->source_port : frame->arrived[0],
                  output->destination_port};
  if (!update_checksum(frame, addresses, ports)) return 0;
  if (frame->v6) {
    headers->v6.udp.source = ports[0];
    headers->v6.udp.dest = ports[1];
    struct ipv6hdr* ip = &headers->v6.ip;
    if (!step->dscp_preserved) {
      ip->priority = output->traffic_class >> 4;
      ip->flow_lbl[0] = (ip->flow_lbl[0] & 0x0F) | (__u8)(output->traffic_class << 4);
    } else {
      ip->flow_lbl[0] &= 0xCF;  // ECN
    }
    ip->hop_limit = ttl;
    __builtin_memcpy(&ip->saddr, addresses, 32);
    return bpf_skb_store_bytes(frame->skb, 0, &headers->link, BYTES_V6 - 2, 0) == 0;
  }
  headers->v4.udp.source = ports[0];
  headers->v4.udp.dest = ports[1];
  struct iphdr* ip = &headers->v4.ip;
  ip->tos = step->dscp_preserved ? ip->tos & 0xFC : output->traffic_class;
  ip->ttl = ttl;
  ip->saddr = addresses[0];
  ip->daddr = addresses[4];
  ip->check = 0;
  ip->check = ~ipv4_header_sum(ip);
  return bpf_skb_store_bytes(frame->skb, 0, &headers->link, BYTES_V4 - 2, 0) == 0;
}

INLINE int reason_of(long result) {
  if (result == QUEUE_FULL) return DROP_EGRESS_FULL;
  if (result == NO_MEMORY) return DROP_NO_MEMORY;
  return result == NET_DOWN || result == INVALID ? DROP_OUTPUT_DOWN : DROP_SEND_ERROR;
}

INLINE void count_drop(struct mcr_output_counters* counters, struct mcr_totals* totals, int reason,
                       __u32 datagrams) {
  counters->drops[reason & (MCR_OUTPUT_DROPS - 1)] += datagrams;
  totals->tx_drops[reason & (MCR_OUTPUT_DROPS - 1)] += datagrams;
}

INLINE void send(struct frame* frame, const struct mcr_step* step) {
  const __u32 zero = 0;
  const __u32 slot = step->output.slot;
  struct mcr_output_counters* counters = bpf_map_lookup_elem(&mcr_outputs, &slot);
  struct mcr_totals* totals = bpf_map_lookup_elem(&mcr_sums, &zero);
  if (!counters || !totals) return;
  counters->matched += frame->datagrams;
  const __u8 ttl = ttl_of(step, frame->ttl);
  int reason = -1;
  if (step->output.interface == 0) {
    reason = DROP_OUTPUT_DOWN;
  } else if (ttl == 0) {
    reason = DROP_TTL_EXPIRED;
  } else if (!rewrite(frame, step, ttl)) {
    reason = DROP_NO_MEMORY;
  } else {
    const long result = bpf_clone_redirect(frame->skb, step->output.interface, 0);
    if (result != SENT && result != QUEUE_CONGESTED) reason = reason_of(result);
  }
  if (reason >= 0) {
    count_drop(counters, totals, reason, frame->datagrams);
    return;
  }
  counters->tx_datagrams += frame->datagrams;
  counters->tx_bytes += frame->payload;
  totals->tx_datagrams += frame->datagrams;
}

// ---- the table ----

struct search {
  void* table;
  __u32 source[4];
  __u32 low;  // the range sought, if there is one, is in [low, high)
  __u32 high;
  __u32 found;
};

static long halve(__u32 number __attribute__((unused)), void* context) {
  struct search* search = context;
  if (search->low >= search->high) return 1;
  const __u32 middle = search->low + (search->high - search->low) / 2;
  union mcr_cell* range = cell(search->table, middle);
  if (!range) return 1;
  if (is_before(search->source, range->sources.first)) {
    search->high = middle;
    return 0;
  }
  if (is_before(range->sources.last, search->source)) {
    search->low = middle + 1;
    return 0;
  }
  search->found = 1;
  return 1;
}

CALL int is_allowed(const struct frame* frame, const struct mcr_entry* entry) {
  if (entry->sources == 0) return 1;
  struct search search = {.table = frame->table,
                          .low = entry->first_source,
                          .high = entry->first_source + entry->sources};
  __builtin_memcpy(search.source, frame->source, sizeof search.source);
  bpf_loop(MCR_MOST_HALVINGS, halve, &search, 0);
  return search.found;
}

INLINE void count_rule(const struct frame* frame, __u32 slot) {
  struct mcr_rule_counters* counters = bpf_map_lookup_elem(&mcr_rules, &slot);
  if (!counters) return;
  counters->rx_datagrams += frame->datagrams;
  counters->rx_bytes += frame->payload;
  counters->last_seen_ns = bpf_ktime_get_coarse_ns();
  __builtin_memcpy(counters->source, frame->source, 16);
  counters->source_port = frame->arrived[0];
  counters->family = frame->v6 ? MCR_IPV6 : MCR_IPV4;
}

static long do_step(__u32 number, void* context) {
  struct frame* frame = context;
  union mcr_cell* at = cell(frame->table, frame->first_step + number);
  if (!at) return 1;
  const struct mcr_step* step = &at->step;
  if (step->kind == MCR_ENTRY) {
    frame->admitted = (!frame->own || step->entry.allow_loop) && is_allowed(frame, &step->entry);
    frame->taken |= frame->admitted;
    if (frame->admitted) count_rule(frame, step->entry.rule);
  } else if (step->kind == MCR_OUTPUT && frame->admitted) {
    send(frame, step);
  }
  return 0;
}

INLINE void count_frame(const struct frame* frame) {
  const __u32 zero = 0;
  const __u32 interface = frame->skb->ifindex;
  struct mcr_interface_counters* received = bpf_map_lookup_elem(&mcr_interfaces, &interface);
  if (received) {
    received->frames += 1;
    received->datagrams += frame->datagrams;
  }
  struct mcr_totals* totals = bpf_map_lookup_elem(&mcr_sums, &zero);
  if (totals) totals->rx_datagrams += frame->datagrams;
}

// ---- the original ----

/// True if somebody on this host can hear the original.
CALL int has_listener(const struct frame* frame) {
  const __u32 interface = frame->skb->ifindex;
  if (!bpf_map_lookup_elem(&mcr_udp_only, &interface)) return 1;
  struct bpf_sock_tuple tuple = {};
  if (frame->v6) {
    __builtin_memcpy(tuple.ipv6.saddr, &frame->original.v6.ip.saddr, 32);
    tuple.ipv6.sport = frame->original.v6.udp.source;
    tuple.ipv6.dport = frame->original.v6.udp.dest;
  } else {
    tuple.ipv4.saddr = frame->original.v4.ip.saddr;
    tuple.ipv4.daddr = frame->original.v4.ip.daddr;
    tuple.ipv4.sport = frame->original.v4.udp.source;
    tuple.ipv4.dport = frame->original.v4.udp.dest;
  }
  struct bpf_sock* socket =
      frame->v6 ? bpf_sk_lookup_udp(frame->skb, &tuple, sizeof tuple.ipv6, BPF_F_CURRENT_NETNS, 0)
                : bpf_sk_lookup_udp(frame->skb, &tuple, sizeof tuple.ipv4, BPF_F_CURRENT_NETNS, 0);
  if (!socket) return 0;
  bpf_sk_release(socket);
  return 1;
}

/// Puts the original headers back and marks the frame. What cannot be put back ends here: a frame
/// with the headers of a copy is none of this host's.
CALL int pass_on(struct frame* frame) {
  __u32 addresses[8] = {};
  if (frame->v6) {
    __builtin_memcpy(addresses, &frame->original.v6.ip.saddr, 32);
  } else {
    addresses[0] = frame->original.v4.ip.saddr;
    addresses[4] = frame->original.v4.ip.daddr;
  }
  // The helper keeps also what the kernel knows of the frame's sum (CHECKSUM_COMPLETE); the bytes
  // of the checksum themselves are the original's.
  if (!update_checksum(frame, addresses, frame->arrived)) return TC_ACT_STOLEN;
  const long stored = frame->v6
                          ? bpf_skb_store_bytes(frame->skb, 0, &frame->original.link, BYTES_V6, 0)
                          : bpf_skb_store_bytes(frame->skb, 0, &frame->original.link, BYTES_V4, 0);
  if (stored != 0) return TC_ACT_STOLEN;
  frame->skb->mark |= mcr_mark;
  return TC_ACT_UNSPEC;
}

SEC("tc")
int mcr_relay(struct __sk_buff* skb) {
  const __u32 zero = 0;
  struct frame frame = {
      .skb = skb, .table = bpf_map_lookup_elem(&mcr_table, &zero), .segment = skb->gso_size};
  if (!frame.table) return TC_ACT_UNSPEC;
  if (skb->vlan_present || skb->pkt_type > PACKET_MULTICAST) return TC_ACT_UNSPEC;

  __u32 bytes = 0;
  frame.v6 = skb->protocol == bpf_htons(ETH_P_IPV6);
  if (!frame.v6 && skb->protocol != bpf_htons(ETH_P_IP)) return TC_ACT_UNSPEC;
  if (!(frame.v6 ? read_v6(&frame, &bytes) : read_v4(&frame, &bytes))) return TC_ACT_UNSPEC;
  union mcr_cell* first = cell(frame.table, 0);
  if (!first) return TC_ACT_UNSPEC;
  const struct mcr_head* head = &first->head;
  const struct mcr_bucket* bucket = find_bucket(&frame, head);
  if (!bucket) return TC_ACT_UNSPEC;

  const __u32 udp_at =
      frame.v6 ? BYTES_V6 - sizeof(struct udphdr) : BYTES_V4 - sizeof(struct udphdr);
  const __u32 headers = frame.v6 ? BYTES_V6 : BYTES_V4;
  const __u32 whole = sizeof(struct ethhdr) + bytes;
  if (whole < headers || skb->len < whole || !is_host(&frame)) return TC_ACT_UNSPEC;
  frame.payload = whole - headers;
  frame.datagrams = count_datagrams(&frame);
  const __u32 segment = frame.segment != 0 ? frame.segment : frame.payload;
  if (frame.datagrams == 0 || segment > bucket->most_payload) return TC_ACT_UNSPEC;
  if (!is_intact(&frame, udp_at)) return TC_ACT_UNSPEC;
  frame.own = is_own(&frame, head);
  __builtin_memcpy(frame.source, frame.addresses, sizeof frame.source);
  __builtin_memcpy(frame.arrived, frame.ports, sizeof frame.arrived);
  frame.first_step = bucket->first_step;
  const __u32 steps = bucket->steps;
  const __u8 consume = bucket->consume;
  if (skb->len > whole && (frame.segment != 0 || bpf_skb_change_tail(skb, whole, 0) != 0))
    return TC_ACT_UNSPEC;

  bpf_loop(steps, do_step, &frame, 0);
  if (!frame.taken) return TC_ACT_UNSPEC;
  count_frame(&frame);
  if (consume == MCR_CONSUME || (consume == MCR_PASS_IF_HEARD && !has_listener(&frame)))
    return TC_ACT_STOLEN;
  return pass_on(&frame);
}

char mcr_license[] SEC("license") = "Apache-2.0 OR MIT";
