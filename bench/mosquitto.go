package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	mqtt5 "github.com/eclipse/paho.golang/paho"
	mqtt "github.com/eclipse/paho.mqtt.golang"
)

const mqttTopic = "sensor/temperature"

// mosquitto is a running broker that queues without a limit.
type mosquitto struct {
	cmd *exec.Cmd
	uri string
}

// startMosquitto runs a broker that leaves at most window messages to a client
// unacknowledged.
func (b *bench) startMosquitto(ctx context.Context, window int) (*mosquitto, error) {
	binary, err := exec.LookPath("mosquitto")
	if err != nil {
		binary = "/usr/sbin/mosquitto"
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(b.dir, fmt.Sprintf("mosquitto-%d.conf", port))
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\nmax_inflight_messages %d\nlog_type none\n", port, window)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return nil, err
	}
	m := &mosquitto{cmd: exec.CommandContext(ctx, binary, "-c", config), uri: fmt.Sprintf("tcp://127.0.0.1:%d", port)}
	if err := m.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start mosquitto (apt-get install mosquitto): %w", err)
	}
	return m, poll(ctx, 5*time.Second, func(context.Context) (bool, error) {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false, nil
		}
		return true, conn.Close()
	})
}

func (m *mosquitto) stop() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// connect returns a client with a persistent session. Its messages go to handle,
// which acknowledges them.
func (m *mosquitto) connect(id string, handle mqtt.MessageHandler) (mqtt.Client, error) {
	o := mqtt.NewClientOptions().AddBroker(m.uri).SetClientID(id).SetCleanSession(false).
		SetAutoReconnect(false).SetAutoAckDisabled(true).SetDefaultPublishHandler(handle)
	cl := mqtt.NewClient(o)
	return cl, waitToken(cl.Connect())
}

func waitToken(t mqtt.Token) error {
	if !t.WaitTimeout(30 * time.Second) {
		return errors.New("the MQTT broker does not answer")
	}
	return t.Error()
}

// subscribe makes a session that keeps messages for a client of that id.
func (m *mosquitto) subscribe(id string, qos byte) error {
	cl, err := m.connect(id, func(mqtt.Client, mqtt.Message) {})
	if err != nil {
		return err
	}
	defer cl.Disconnect(100)
	return waitToken(cl.Subscribe(mqttTopic, qos, nil))
}

// publish sends messages and waits for the last acknowledgement.
func (m *mosquitto) publish(l mqttLoad, payload func(i int) []byte) error {
	o := mqtt.NewClientOptions().AddBroker(m.uri).SetClientID("publisher").SetOrderMatters(false)
	cl := mqtt.NewClient(o)
	if err := waitToken(cl.Connect()); err != nil {
		return err
	}
	defer cl.Disconnect(100)
	size := 1000
	if l.qos == 2 {
		size = l.window // Mosquitto does not take more of QoS 2
	}
	window := make(chan mqtt.Token, size)
	for i := range int(l.messages) {
		if len(window) == cap(window) {
			if err := waitToken(<-window); err != nil {
				return err
			}
		}
		window <- cl.Publish(mqttTopic, l.qos, false, payload(i))
	}
	close(window)
	for t := range window {
		if err := waitToken(t); err != nil {
			return err
		}
	}
	return nil
}

// drain reads n messages of a session as fast as a client can that acknowledges
// each in order and does nothing else, and returns how long that took.
func (m *mosquitto) drain(ctx context.Context, id string, n int64) (time.Duration, error) {
	var got atomic.Int64
	done := make(chan struct{})
	begin := time.Now()
	cl, err := m.connect(id, func(_ mqtt.Client, msg mqtt.Message) {
		msg.Ack()
		if got.Add(1) == n {
			close(done)
		}
	})
	if err != nil {
		return 0, err
	}
	defer cl.Disconnect(100)
	return drained(ctx, begin, done, &got, n)
}

// drain5 is drain with MQTT 5, by a client that acknowledges each when its handler
// returns. Its receive maximum is the connector's.
func (m *mosquitto) drain5(ctx context.Context, id string, n int64) (time.Duration, error) {
	var got atomic.Int64
	done := make(chan struct{})
	begin := time.Now()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(m.uri, "tcp://"))
	if err != nil {
		return 0, err
	}
	cl := mqtt5.NewClient(mqtt5.ClientConfig{Conn: conn, OnPublishReceived: []func(mqtt5.PublishReceived) (bool, error){
		func(mqtt5.PublishReceived) (bool, error) {
			if got.Add(1) == n {
				close(done)
			}
			return true, nil
		}}})
	window, expiry := uint16(1000), uint32(3600)
	_, err = cl.Connect(ctx, &mqtt5.Connect{ClientID: id, KeepAlive: 60,
		Properties: &mqtt5.ConnectProperties{ReceiveMaximum: &window, SessionExpiryInterval: &expiry}})
	if err != nil {
		return 0, err
	}
	defer func() { _ = cl.Disconnect(&mqtt5.Disconnect{}) }() // what it took is known
	return drained(ctx, begin, done, &got, n)
}

// drained waits until n messages have come, which closes done, and returns for how long
// since begin.
func drained(ctx context.Context, begin time.Time, done <-chan struct{}, got *atomic.Int64, n int64) (time.Duration, error) {
	select {
	case <-done:
		return time.Since(begin), nil
	case <-time.After(2 * time.Minute):
		return 0, fmt.Errorf("got %d of %d messages", got.Load(), n)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
