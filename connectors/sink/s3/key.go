package s3

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluice-data/sluice/connect"
)

// objectKey names the object of a part of the records from offset start on.
func (s *Sink) objectKey(tp connect.TopicPartition, encoded string, p *part, start int64) string {
	c := s.config
	return c.topicDir(tp.Topic) + encoded + c.directoryDelim + c.filePrefix(tp) + fmt.Sprintf("%0*d", c.padWidth, start) + p.suffix + p.format.Extension()
}

// maxKeyBytes is the longest name of an object.
const maxKeyBytes = 1024

// checkKey refuses names that S3 has not: they come of what is in a record, so it is the record's fault.
func checkKey(key string) error {
	switch {
	case len(key) > maxKeyBytes:
		return fmt.Errorf("the name of its object would have %d bytes, and S3 allows %d: %.100s…", len(key), maxKeyBytes, key)
	case !utf8.ValidString(key):
		return fmt.Errorf("the name of its object would not be UTF-8: %.100q", key)
	}
	if i := strings.IndexFunc(key, notXML); i >= 0 {
		r, _ := utf8.DecodeRuneInString(key[i:])
		return fmt.Errorf("the name of its object would have the character %U, which answers of S3 cannot have: %.100q", r, key)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "." || part == ".." {
			return fmt.Errorf("the name of its object would have the directory %q: %.100s", part, key)
		}
	}
	return nil
}

// notXML tells characters that XML 1.0 has not (section 2.2). S3 names the object in its answers, and a client that cannot read those does not get to
// know an upload's id.
func notXML(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
}

// topicDir is the directory of a topic's objects, with the delimiter.
func (c *Config) topicDir(topic string) string {
	dir := topic + c.directoryDelim
	if c.topicsDir != "" {
		dir = c.topicsDir + c.directoryDelim + dir
	}
	return dir
}

// filePrefix is what the names of a topic-partition's objects begin with, behind their directory.
func (c *Config) filePrefix(tp connect.TopicPartition) string {
	return tp.Topic + c.fileDelim + strconv.Itoa(int(tp.Partition)) + c.fileDelim
}
