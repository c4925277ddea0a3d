package postgres

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
)

const optNotificationURL = "notification.http.url"

// httpOptions are about notifications that are posted.
type httpOptions struct {
	address      *url.URL // nil: there are none
	timeout      time.Duration
	retries      int
	allowPrivate bool

	text string
}

func (o *httpOptions) options() []connect.Option {
	return []connect.Option{
		{Name: optNotificationURL, Var: &o.text,
			Doc:        "URL that notices are posted to as JSON, needed with the channel http.",
			Importance: connect.High, Display: "Notification URL"},
		{Name: "notification.http.timeout.ms", Var: &o.timeout, Default: "5000", Check: atLeast(&o.timeout, time.Millisecond),
			Doc:        "Milliseconds that the receiver has for its answer.",
			Importance: connect.Low, Display: "Notification Timeout (ms)"},
		{Name: "notification.http.retries", Var: &o.retries, Default: "2", Check: atLeast(&o.retries, 0),
			Doc: "How often a notice is posted again that the receiver has not answered with a status of 200 to 299, after 1 second, then 2, 4 and up to 30. " +
				"That a snapshot has ended (COMPLETED, ABORTED, SKIPPED) is posted again 3 times at least. Nothing waits for that: what is not taken is dropped.",
			Importance: connect.Low, Display: "Notification Retries"},
		{Name: "notification.http.allow.private.networks", Var: &o.allowPrivate, Default: "false",
			Doc:        "Whether the receiver may have an address that is not public: of this machine, or of a private or link-local network.",
			Importance: connect.Low, Display: "Notifications to Private Networks"},
	}
}

// validate checks the URL, when the channels have http. What a name stands for is known
// only when it is connected to.
func (o *httpOptions) validate(channels []string) error {
	o.address = nil
	if !slices.Contains(channels, "http") {
		return nil
	}
	if strings.TrimSpace(o.text) == "" {
		return errors.New("HTTP notification URL must be provided when the 'http' notification channel is enabled")
	}
	address, err := url.Parse(o.text)
	if err != nil || address.Hostname() == "" || address.Scheme != "http" && address.Scheme != "https" {
		return errors.New("HTTP notification URL must be a valid http(s) URL with a host")
	}
	host := address.Hostname()
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if a, err := netip.ParseAddr(host); err == nil && !o.allowPrivate {
		if err := checkPublic(a); err != nil {
			return err
		}
	}
	o.address = address
	return nil
}
