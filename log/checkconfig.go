package log

// CheckTopicConfig returns a *[ConfigError] when CreateTopic would refuse the overrides.
func CheckTopicConfig(overrides map[string]string) error {
	_, err := DefaultTopicConfig().with(overrides)
	return err
}
