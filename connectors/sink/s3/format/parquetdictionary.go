package format

import (
	"hash/maphash"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go"
)

const (
	dictionaryBytes = 1 << 20 // beyond which a dictionary is given up
	surveyRows      = 4096
)

var surveySeed = maphash.MakeSeed()

// sample is what a column has in some rows of a row group.
type sample struct {
	hashes []uint64
	bytes  int
}

// survey says which columns of text are to have no dictionary in a row group, by rows from all over it. The library finds out at the end of a page that a dictionary has outgrown its
// limit, and keeps what it has until then: of texts that are all different some megabytes that help nobody. In a block of one piece no dictionary is large.
func (f *Parquet) survey(p *parquetPlan, block [][]byte, records int) plainColumns {
	if len(block) < 2 {
		return ""
	}
	for len(f.samples) < len(p.columns) {
		f.samples = append(f.samples, sample{})
	}
	for i := range f.samples {
		f.samples[i] = sample{hashes: f.samples[i].hashes[:0]}
	}
	rows := 0
	for _, piece := range block {
		rows += f.sample(p, piece, max(columnRows, surveyRows/len(block)))
	}
	marks, plain := make([]byte, len(p.columns)), false
	for i := range p.columns {
		if p.columns[i].dictionary && !f.samples[i].worthDictionary(float64(records)/float64(rows)) {
			marks[i], plain = 1, true
		}
	}
	if !plain {
		return ""
	}
	return plainColumns(marks)
}

// sample adds the first rows of a piece to the samples of the columns that may have a dictionary. It returns how many they were.
func (f *Parquet) sample(p *parquetPlan, piece []byte, most int) (rows int) {
	for r := f.reader(p, piece); rows < most && len(r.block) > 0; {
		rows += r.rows(columnRows)
		for i, values := range r.values {
			if p.columns[i].dictionary {
				f.samples[i].add(values)
			}
		}
	}
	return rows
}

func (s *sample) add(values []parquet.Value) {
	for i := range values {
		if v := &values[i]; !v.IsNull() {
			s.hashes = append(s.hashes, maphash.Bytes(surveySeed, v.ByteArray()))
			s.bytes += len(v.ByteArray())
		}
	}
}

// worthDictionary tells whether a dictionary of so many times the sample stays below the limit and makes of the values half of what they are.
func (s *sample) worthDictionary(times float64) bool {
	sampled := float64(len(s.hashes))
	if sampled == 0 {
		return true
	}
	slices.Sort(s.hashes)
	all := sampled * times
	different := distinct(float64(len(slices.Compact(s.hashes))), sampled, all)
	const lengthBytes = 4 // before each value
	each := float64(s.bytes)/sampled + lengthBytes
	dictionary, indexes := different*each, all*math.Log2(different+1)/8
	return dictionary <= dictionaryBytes && dictionary+indexes <= all*each/2
}

// distinct estimates how many of n values are different, when that many of a sample were. It takes each value for as likely as any other: of s of them a sample
// has s·(1-e^(-sampled/s)).
func distinct(found, sampled, n float64) float64 {
	low, high := found, sampled*sampled // of more the sample would have none twice
	for range 32 {
		s := math.Sqrt(low * high)
		if drawn(s, sampled) < found {
			low = s
		} else {
			high = s
		}
	}
	return drawn(low, n)
}

// drawn is how many of s values are among n.
func drawn(s, n float64) float64 { return -s * math.Expm1(-n/s) }
