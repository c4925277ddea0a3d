package engine

import "strings"

const topicCreationPrefix = "topic.creation."

// usesTopicCreation tells whether a config says how topics are created.
func usesTopicCreation(settings map[string]string) bool {
	for name := range settings {
		if strings.HasPrefix(name, topicCreationPrefix) {
			return true
		}
	}
	return false
}
