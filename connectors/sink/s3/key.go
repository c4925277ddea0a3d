package s3

import (
	"fmt"
	"strconv"

	"github.com/sluice-data/sluice/connect"
)

// objectKey names the object of a part of the records from offset start on.
func (s *Sink) objectKey(tp connect.TopicPartition, encoded string, p *part, start int64) string {
	c := s.config
	return c.topicDir(tp.Topic) + encoded + c.directoryDelim + c.filePrefix(tp) + fmt.Sprintf("%0*d", c.padWidth, start) + p.suffix + p.format.Extension()
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
