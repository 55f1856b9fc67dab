// Package logs keeps what functions log: lines with a time and a stream, by
// log group, in append-only files, bounded by bytes and by age. It knows
// nothing of functions; it imports clock, vfs and jsonpayload.
//
// Writing never delays who writes. Append copies the line into a batch in
// memory, under a lock that nobody holds over a system call; a timer of some
// milliseconds, not the line, wakes the one goroutine that owns the files. What
// does not fit into the batch while the disk is slow is dropped and counted.
//
//	Stream.Append ▶ batch ─(timer, or enough)▶ owner ▶ segment files ▶ Read, Follow
//	                                             └ rotates, deletes what is too old or too much
//
// # Files
//
// A segment is a file "<hash of the group>-<start, ms, hex>.log" with lines of
// one group in the order in which they were written: eight bytes of magic, then
// records, each its length, a CRC-32C of its content, and the content (numbers
// are little-endian). The first record names the group, for names are no file
// names: they may hold slashes and dots, and are longer than a file's may be.
// A segment's start is later than that of the group's segment before it, and
// the lines in it were written before the start of the next one.
//
// Nothing is synced: a line is with the kernel some milliseconds after it was
// written, so kill -9 loses those milliseconds, and a power cut what the kernel
// had not written out yet (half a minute on Linux). A record that was cut short
// is dropped with all behind it when the segment is read, and the segment gets
// no more lines.
//
// Segments are deleted whole, oldest first. At most maxOpen are open at a time.
//
// # Reading
//
// The order is that of writing, in each group. A place in it is a segment's
// start and an offset, and as segments are only appended to and deleted whole,
// a token, which is a place in text, stays good for ever: reading from a place
// that has been deleted goes on at what is next.
package logs
