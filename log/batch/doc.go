// Package batch is Kafka's record batch v2 (KIP-98): header, CRC-32C, records, compression. All integers are big
// endian, v is a zigzag varint (Protocol Buffers).
//
//	 0 base offset       int64   set by the broker, outside the CRC
//	 8 length            int32   bytes that follow
//	12 leader epoch      int32   set by the broker, outside the CRC
//	16 magic             int8    2
//	17 CRC-32C           uint32  of everything after it
//	21 attributes        int16   bits 0-2 codec, 3 log append time, 4 transactional, 5 control, 6 delete horizon
//	23 last offset delta int32   records - 1 when the batch is as produced
//	27 base timestamp    int64   ms
//	35 max timestamp     int64   ms
//	43 producer id       int64   -1 when not idempotent
//	51 producer epoch    int16
//	53 base sequence     int32
//	57 record count      int32
//	61 records           compressed together when there is a codec
//
//	record = length v, attributes int8, timestamp delta v, offset delta v,
//	         key length v (-1 null), key, value length v (-1 null), value,
//	         header count v, { key length v, key, value length v (-1 null), value }
package batch
