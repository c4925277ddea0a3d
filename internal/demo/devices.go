package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Devices are simulated sensors. Each has an MQTT connection of its own and
// publishes a reading with QoS 1 every Interval.
type Devices struct {
	Broker   string // host:port
	Topic    string
	Count    int
	Interval time.Duration
}

// Reading is what a device publishes.
type Reading struct {
	Device      string  `json:"device"`
	Seq         int     `json:"seq"`
	Temperature float64 `json:"temperature"` // degrees Celsius
	Time        string  `json:"time"`        // RFC 3339
}

// Run publishes until ctx ends and returns when all devices are disconnected. It
// returns the first error of a device.
func (d Devices) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for i := range d.Count {
		wg.Go(func() {
			if err := d.run(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != ctx.Err() {
		return err
	}
	return nil
}

// run is one device. The devices' readings are spread over the interval.
func (d Devices) run(ctx context.Context, i int) error {
	name := fmt.Sprintf("device-%02d", i+1)
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + d.Broker).
		SetClientID(name).SetConnectTimeout(5 * time.Second).SetAutoReconnect(false))
	if t := client.Connect(); t.Wait() && t.Error() != nil {
		return fmt.Errorf("connect %s: %w", name, t.Error())
	}
	defer client.Disconnect(100)

	tick := time.NewTimer(d.Interval * time.Duration(i) / time.Duration(d.Count))
	defer tick.Stop()
	temperature := 18 + 6*rand.Float64()
	for seq := 1; ; seq++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			tick.Reset(d.Interval)
		}
		temperature += rand.Float64() - 0.5
		if err := d.publish(ctx, client, Reading{Device: name, Seq: seq, Temperature: float64(int(temperature*100)) / 100}); err != nil {
			return err
		}
	}
}

func (d Devices) publish(ctx context.Context, client mqtt.Client, r Reading) error {
	r.Time = time.Now().UTC().Format(time.RFC3339Nano)
	payload, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode reading: %w", err)
	}
	t := client.Publish(d.Topic, 1, false, payload)
	select {
	case <-t.Done():
	case <-ctx.Done():
		return nil
	}
	if t.Error() != nil {
		return fmt.Errorf("publish reading of %s: %w", r.Device, t.Error())
	}
	return nil
}
