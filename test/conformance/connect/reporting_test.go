package connect_test

import (
	"context"
	"errors"

	"github.com/sluice-data/sluice/connect"
)

// reporting is ReportingSink.java's counterpart.
func reporting() connect.Spec {
	return connect.Spec{Class: "ReportingSink", Version: "1", New: func() connect.Config { return reportingConfig{} }}
}

type reportingConfig struct{}

func (reportingConfig) Define(*connect.Def) {}
func (reportingConfig) Sink() connect.Sink  { return &reportingSink{} }

type reportingSink struct {
	report func(*connect.Record, error) error
}

func (s *reportingSink) Open(_ context.Context, sc connect.SinkContext) error {
	s.report = sc.Report
	return nil
}

func (s *reportingSink) Write(_ context.Context, b *connect.Batch) error {
	var errs []error
	for i := range b.Records() {
		errs = append(errs, s.report(&b.Records()[i], errors.New("no such column")))
	}
	return errors.Join(errs...)
}

func (*reportingSink) Close() error { return nil }
