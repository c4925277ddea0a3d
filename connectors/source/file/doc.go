// Package file is a source that reads the lines of a file, as Kafka's
// FileStreamSourceConnector does, and goes on with what is appended.
//
// # Lines
//
// \n, \r\n and \r each end a line, and a line counts once its end is there. A \r at
// the end of the file waits for the next byte, which may be its \n.
//
// # Positions
//
//	source partition   {"filename":"/var/log/app.log"}
//	source offset      {"position":4711}
//
// They are Kafka's, so either side goes on where the other has stopped. The
// position is the byte after the last line's end. Kafka's task counts characters
// but skips bytes, so it reads parts of a file again that has other characters
// than ASCII; this one does not.
//
// # Files that change
//
// A file that is not there is waited for. One that is renamed and replaced is read
// to its end, its unfinished last line included, before the new one is begun. One
// that is shorter than the position was truncated and is read from its start. A
// file that was replaced by one that is as long while no task ran cannot be told
// from the old one.
//
// Without the option file it reads standard input, which has no positions; a named
// pipe neither.
package file
