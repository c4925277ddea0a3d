package protobuf_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-data/sluice/schemaregistry/protobuf"
)

// size is that of hostile texts: the most bytes that a schema may have. The race
// detector, which has nothing to find in a parser without goroutines, makes it ten
// times slower, and gets by with less.
const size = 1 << 20 / (1 + 7*raced)

// filled repeats what part makes of numbers until the text has size bytes.
func filled(head, tail string, part func(i int) string) string {
	var b strings.Builder
	b.WriteString(head)
	for i := 1; ; i++ {
		p := part(i)
		if b.Len()+len(p)+len(tail) > size {
			break
		}
		b.WriteString(p)
	}
	return b.String() + tail
}

// hostile are texts of the greatest size that are made to take long.
func hostile() map[string]string {
	const head = "syntax = \"proto3\";\n"
	return map[string]string{
		"messages":       filled(head, "", func(i int) string { return fmt.Sprintf("message M%d{M%d m=1;}\n", i, i/2+1) }),
		"one name":       filled(head, "", func(int) string { return "message M{}" }),
		"fields":         filled(head+"message M{", "}", func(i int) string { return fmt.Sprintf("int32 f%d=%d;", i, i) }),
		"one number":     filled(head+"message M{", "}", func(i int) string { return fmt.Sprintf("int32 f%d=1;", i) }),
		"values":         filled(head+"enum E{", "}", func(i int) string { return fmt.Sprintf("V%d=%d;", i, i-1) }),
		"oneofs":         filled(head+"message M{", "}", func(i int) string { return fmt.Sprintf("oneof o%d{int32 f%d=%d;}", i, i, i) }),
		"reserved":       filled(head+"message M{", "}", func(i int) string { return fmt.Sprintf("reserved %d to max;", i) }),
		"names":          filled(head+"message M{reserved", " \"x\";}", func(int) string { return " \"x\"," }),
		"imports":        filled(head, "", func(i int) string { return fmt.Sprintf("import \"%d.proto\";", i) }),
		"options":        filled(head, "", func(i int) string { return "option java_package=\"x\";" }),
		"dots":           head + "message M{ " + strings.Repeat("a.", size/2-40) + "b c=1; }",
		"long name":      head + "message " + strings.Repeat("a", size-100) + "{}",
		"long package":   head + "package " + strings.Repeat("a.", size/4) + "a; message M{M m=1;}",
		"brackets":       head + "option x = " + strings.Repeat("{a", size/4),
		"lists":          head + "option x = " + strings.Repeat("[", size/2),
		"quotes":         head + "option x = " + strings.Repeat("\"a\" ", size/8) + ";",
		"comments":       head + strings.Repeat("/**/", size/8) + "message M{}",
		"open comment":   head + "/*" + strings.Repeat("*", size/2),
		"semicolons":     head + strings.Repeat(";", size/2),
		"nested":         head + strings.Repeat("message M{", size/32) + strings.Repeat("}", size/32),
		"nested names":   head + nestedNames(),
		"maps":           filled(head+"message M{", "}", func(i int) string { return fmt.Sprintf("map<string,M> m%d=%d;", i, i) }),
		"extensions":     filled("syntax=\"proto2\"; message M{extensions 1 to max;} extend M{", "}", func(i int) string { return fmt.Sprintf("optional M e%d=%d;", i, i) }),
		"services":       filled(head+"message M{} service S{", "}", func(i int) string { return fmt.Sprintf("rpc r%d(M)returns(M);", i) }),
		"groups":         filled("syntax=\"proto2\"; message M{", "}", func(i int) string { return fmt.Sprintf("optional group G%d=%d{}", i, i) }),
		"base64 of zero": strings.Repeat("AAAA", size/4),
		"base64 of data": strings.Repeat("CgoKCgoK", size/8),
		"option names":   filled(head+"import \"confluent/meta.proto\"; message M{int32 a=1[", "(x)=1];}", func(i int) string { return fmt.Sprintf("(confluent.field_meta).a%d=1,", i) }),
		"option lists":   filled(head+"message M{int32 a=1[(confluent.field_meta).tags=[", "],"+strings.Repeat("(confluent.field_meta).tags=\"x\",", 1990)+"(confluent.field_meta).doc=\"\"];}", func(i int) string { return "\"\"," }),
		"literal":        filled(head+"option (confluent.file_meta)={", "};", func(i int) string { return fmt.Sprintf("tags:\"%d\" ", i) }),
	}
}

// nestedNames resolves names from deep within, which looks at every level.
func nestedNames() string {
	const depth = 30
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "message %s%d{", strings.Repeat("n", 100), i)
	}
	for i := 1; b.Len() < size-1000; i++ {
		fmt.Fprintf(&b, "T f%d=%d;", i, i)
	}
	return b.String() + strings.Repeat("}", depth) + "message T{}"
}

// Whatever is sent is answered, or refused, in a time that does not depend on how it is made.
func TestHostile(t *testing.T) {
	for name, text := range hostile() {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			s, err := protobuf.Parse(text, protobuf.Options{})
			if err != nil {
				var parse *protobuf.ParseError
				var limit *protobuf.LimitError
				if !errors.As(err, &parse) && !errors.As(err, &limit) {
					t.Errorf("%T: %v", err, err)
				}
				if len(err.Error()) > 2000 {
					t.Errorf("an error of %d bytes", len(err.Error()))
				}
			} else {
				_, _ = s.Normalized()
				if _, err := protobuf.Compare(s, s); err != nil {
					t.Error(err)
				}
			}
			took := time.Since(start)
			t.Logf("%v for %d bytes, error %.100v", took, len(text), err)
			if took > time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}
