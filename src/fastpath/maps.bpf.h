// The maps of the program in relay.bpf.c: what it shares with the daemon, and memory of its own.
#pragma once

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_helpers.h>

#include "mcr/fastpath/relay.h"

struct inner_table {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_INNER_MAP);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(union mcr_cell));
};

/// Element 0 is the plain table; without it everything is left alone.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 1);
  __type(key, __u32);
  __array(values, struct inner_table);
} mcr_table SEC(".maps");

// The daemon makes an element for each slot before it publishes a table that names the slot.
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct mcr_rule_counters);
} mcr_rules SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct mcr_output_counters);
} mcr_outputs SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct mcr_interface_counters);
} mcr_interfaces SEC(".maps");

/// The interfaces on which nobody but UDP sockets of this host can hear what is relayed.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u8);
} mcr_udp_only SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct mcr_totals);
} mcr_sums SEC(".maps");

enum { CHUNK = 512 };  // the most that bpf_csum_diff() takes at once

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u8[CHUNK]);
} mcr_chunk SEC(".maps");

/// The bit of skb->mark that says "relayed": each daemon of a network namespace has its own.
const volatile __u32 mcr_mark = 0;

/// The headers at a frame's begin. `unused` aligns the IP header.
struct headers {
  __u16 unused;
  struct ethhdr link;
  union {
    struct {
      struct iphdr ip;
      struct udphdr udp;
    } v4;
    struct {
      struct ipv6hdr ip;
      struct udphdr udp;
    } v6;
  };
};

/// The headers of a copy while they are made: the stacks have no room for them.
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct headers);
} mcr_headers SEC(".maps");
