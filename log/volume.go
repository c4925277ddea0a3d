package log

import (
	"time"

	"github.com/sluice-data/sluice/internal/vfs"
)

// Every trialEvery rounds both ways are tried, each trialRounds times, since other users of the disk change what is faster.
const (
	trialEvery  = 256
	trialRounds = 4
)

// volume decides whether a round syncs file by file or the whole volume. With many files the volume is faster by far: one
// commit of the journal and one flush of the disk instead of one for each (on ext4, 64 files of 200 B: 0.5 ms instead of
// 3.5 ms). But it waits for what others have written there too, so both ways are measured all the time.
type volume struct {
	vfs.Volume               // nil: not to be used
	atLeast    int           // files of a round
	rounds     int           // since the last trial began
	file       time.Duration // average of one file in rounds that sync file by file
	whole      time.Duration // average of the volume
}

func openVolume(cfg *Config) volume {
	if cfg.SyncVolumeAt < 0 {
		return volume{}
	}
	v, err := cfg.FS.OpenVolume(cfg.Dir)
	if err != nil {
		cfg.Logger.Debug("the volume cannot be synced as a whole", "dir", cfg.Dir, "reason", err)
		return volume{}
	}
	return volume{Volume: v, atLeast: cfg.SyncVolumeAt}
}

// pays tells whether a round of n files should sync the volume.
func (v *volume) pays(n int) bool {
	if v.Volume == nil || n < v.atLeast {
		return false
	}
	v.rounds = v.rounds%trialEvery + 1
	switch {
	case v.rounds <= trialRounds:
		return false
	case v.rounds <= 2*trialRounds:
		return true
	}
	return v.whole < v.file*time.Duration(n)
}

// noteFiles takes what a round cost that synced n files one by one.
func (v *volume) noteFiles(d time.Duration, n int) {
	v.file += (d/time.Duration(n) - v.file) / 4
}

// noteWhole takes what a sync of the volume cost. The first ones of a trial write what others have left since the last one
// and say nothing about the next; the last one of a trial counts alone.
func (v *volume) noteWhole(d time.Duration) {
	if v.rounds <= 2*trialRounds {
		v.whole = d
		return
	}
	v.whole += (d - v.whole) / 4
}

func (v *volume) close() {
	if v.Volume != nil {
		_ = v.Volume.Close() // it was only read
		v.Volume = nil
	}
}
