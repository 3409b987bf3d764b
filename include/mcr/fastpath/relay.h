// The memory that the program in the kernel (relay.bpf.c) and the daemon share: the cells of the
// plain table and the counters; and the hash that finds a destination. C, for both compilers.
//
// The plain table is one array of cells, so that one update exchanges all of it:
//
//   cell 0              struct head: where the rest stands
//   buckets             open addressing by interface and destination, a power of two
//   own endpoints       open addressing by address and port, a power of two, or none
//   steps               of each destination side by side: an entry, its outputs, the next entry
//   source ranges       of each entry sorted and disjoint
//
// Addresses are in network byte order, IPv4 in the first word and zeros behind it. Ports are in
// network byte order. All else is in the host's.
#ifndef MCR_FASTPATH_RELAY_H
#define MCR_FASTPATH_RELAY_H

#include <linux/types.h>

/// Most cells that a search looks at; the compiler of the table makes it large enough for that.
#define MCR_MOST_PROBES 16
/// Most steps of one destination.
#define MCR_MOST_STEPS 4096
/// Most steps of a search among the sources of an entry: a rule has fewer than 2^13 of them.
#define MCR_MOST_HALVINGS 13
/// Room for reasons of drops: powers of two, for they are masks, too.
#define MCR_INPUT_DROPS 16
#define MCR_OUTPUT_DROPS 16

/// The family of an address; 0 in a bucket: it is empty.
enum mcr_family { MCR_IPV4 = 4, MCR_IPV6 = 6 };

/// The end of a frame that was relayed.
enum mcr_consume {
  MCR_PASS_ON = 0,        ///< this host gets it, too
  MCR_CONSUME = 1,        ///< it ends here
  MCR_PASS_IF_HEARD = 2,  ///< it ends here unless somebody on this host can hear it
};

struct mcr_head {
  __u32 first_bucket;
  __u32 buckets;  ///< a power of two
  __u32 first_own;
  __u32 owns;  ///< a power of two, or 0
};

struct mcr_bucket {
  __u32 address[4];
  __u32 interface;  ///< index
  __u16 port;
  __u8 family;
  __u8 consume;
  __u32 first_step;
  __u32 steps;
  __u32 most_payload;  ///< UDP payload of a datagram, bytes, that fits the MTU of each output
};

struct mcr_own {
  __u32 address[4];
  __u16 port;
  __u8 family;
};

enum mcr_step_kind { MCR_ENTRY = 1, MCR_OUTPUT = 2 };

/// How an output's TTL comes about.
enum mcr_ttl { MCR_TTL_FIXED = 0, MCR_TTL_PRESERVED = 1, MCR_TTL_DECREMENTED = 2 };

struct mcr_entry {
  __u32 rule;  ///< slot of its counters
  __u32 first_source;
  __u32 sources;  ///< 0: any
  __u8 allow_loop;
};

struct mcr_output {
  __u32 slot;       ///< of its counters
  __u32 interface;  ///< index; 0: count output_down
  __u32 source[4];
  __u32 destination[4];
  __u16 source_port;  ///< 0: the sender's
  __u16 destination_port;
  __u8 link_source[6];
  __u8 ttl;
  __u8 traffic_class;  ///< DSCP << 2
};

struct mcr_step {
  __u8 kind;
  __u8 ttl_mode;
  __u8 dscp_preserved;
  __u8 source_preserved;
  union {
    struct mcr_entry entry;
    struct mcr_output output;
  };
};

/// Both ends belong to it.
struct mcr_source_range {
  __u32 first[4];
  __u32 last[4];
};

union mcr_cell {
  struct mcr_head head;
  struct mcr_bucket bucket;
  struct mcr_own own;
  struct mcr_step step;
  struct mcr_source_range sources;
  __u8 bytes[64];
};

// Counters, one of each for each CPU. Datagrams; bytes are UDP payload.

struct mcr_rule_counters {
  __u64 rx_datagrams;
  __u64 rx_bytes;
  __u64 last_seen_ns;  ///< CLOCK_MONOTONIC; 0: none yet
  __u32 source[4];
  __u16 source_port;
  __u8 family;
  __u8 unused[5];
};

/// matched = tx_datagrams + sum(drops).
struct mcr_output_counters {
  __u64 matched;
  __u64 tx_datagrams;
  __u64 tx_bytes;
  __u64 drops[MCR_OUTPUT_DROPS];  ///< by OutputDrop
};

struct mcr_interface_counters {
  __u64 frames;
  __u64 datagrams;
};

struct mcr_totals {
  __u64 rx_datagrams;
  __u64 tx_datagrams;
  __u64 tx_drops[MCR_OUTPUT_DROPS];  ///< by OutputDrop
};

/// The hash of a destination: a search begins at the hash modulo the number of cells. Own endpoints
/// have interface 0.
static inline __u32 mcr_hash(const __u32 address[4], __u16 port, __u32 interface) {
  __u64 key = ((__u64)address[0] << 32 | address[1]) ^
              ((__u64)address[2] << 32 | address[3]) * 0x9E3779B97F4A7C15ULL;
  key ^= (__u64)port << 48 ^ (__u64)interface << 16;
  key ^= key >> 29;
  key *= 0xBF58476D1CE4E5B9ULL;
  key ^= key >> 32;
  key *= 0x94D049BB133111EBULL;
  return (__u32)(key >> 32);
}

#endif
