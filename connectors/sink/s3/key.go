package s3

import (
	"fmt"
	"strconv"

	"github.com/sluice-data/sluice/connect"
)

// encodedPartition is DefaultPartitioner: the directory of a topic-partition's
// objects below the topic's. Partitioners that look at the record will have
// several files open for one topic-partition.
func encodedPartition(tp connect.TopicPartition) string {
	return "partition=" + strconv.Itoa(int(tp.Partition))
}

// objectKey names the object whose first record has offset start.
func (c *Config) objectKey(tp connect.TopicPartition, start int64, extension string) string {
	dir := tp.Topic + c.directoryDelim + encodedPartition(tp) + c.directoryDelim
	if c.topicsDir != "" {
		dir = c.topicsDir + c.directoryDelim + dir
	}
	return dir + tp.Topic + c.fileDelim + strconv.Itoa(int(tp.Partition)) + c.fileDelim +
		fmt.Sprintf("%0*d", c.padWidth, start) + extension
}
