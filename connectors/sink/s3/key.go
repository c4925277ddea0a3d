package s3

import (
	"fmt"
	"strconv"
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
	return nil
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
