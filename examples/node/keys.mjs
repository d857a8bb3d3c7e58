// Where things are in Redis.

export class Keys {
  constructor(prefix, partitions) {
    this.prefix = prefix
    this.partitions = partitions
    this.feed = `${prefix}:feed`
    this.interest = `${prefix}:interest`
    this.want = `${prefix}:interest:want`
  }

  /** The tape of a code's partition. The braces are part of the key: a hash tag of Redis Cluster. */
  tape(code) {
    return `${this.prefix}:{${partitionOf(code, this.partitions)}}:tape`
  }

  book(code) {
    return `${this.prefix}:{${partitionOf(code, this.partitions)}}:book:${code}`
  }
}

/** CRC-16/XMODEM of the code, modulo the number of partitions. */
export function partitionOf(code, partitions) {
  let crc = 0
  for (const byte of Buffer.from(code, 'utf8')) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1
  }
  return crc % partitions
}
