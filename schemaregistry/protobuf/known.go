package protobuf

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// knownFS has what Confluent's registry lets every schema import, but for what comes with the compiler.
//
//go:embed known
var knownFS embed.FS

// knownFiles are what every schema may import without a reference.
type knownFiles struct {
	descriptors map[string]protoreflect.FileDescriptor
	files       map[string]*file
	table       *table
	extensions  *dynamicpb.Types // Confluent's own options
}

// metaFile has Confluent's own options.
const metaFile = "confluent/meta.proto"

// standard are the files that come with the compiler.
var standard = []string{"any", "api", "descriptor", "duration", "empty", "field_mask", "source_context", "struct", "timestamp", "type", "wrappers"}

// known reads the known files once. It cannot fail: they are part of the program.
var known = sync.OnceValue(func() *knownFiles {
	k, err := loadKnown()
	if err != nil {
		panic("protobuf: " + err.Error())
	}
	return k
})

func loadKnown() (*knownFiles, error) {
	texts, err := knownTexts()
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range texts {
		names = append(names, name)
	}
	for _, name := range standard {
		names = append(names, "google/protobuf/"+name+".proto")
	}
	resolver := protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(texts)})
	compiled, err := (&protocompile.Compiler{Resolver: resolver}).Compile(context.Background(), names...)
	if err != nil {
		return nil, fmt.Errorf("compile the known files: %w", err)
	}
	k := &knownFiles{descriptors: make(map[string]protoreflect.FileDescriptor), files: make(map[string]*file), table: newTable(nil)}
	for _, d := range compiled {
		f, err := fromDescriptor(protodesc.ToFileDescriptorProto(d))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", d.Path(), err)
		}
		k.descriptors[d.Path()], k.files[d.Path()] = d, f
		k.table.add(&source{name: d.Path(), file: f})
	}
	var meta protoregistry.Files
	if err := meta.RegisterFile(k.descriptors[metaFile]); err != nil {
		return nil, err
	}
	k.extensions = dynamicpb.NewTypes(&meta)
	return k, nil
}

// knownTexts are the texts of knownFS by the names of imports.
func knownTexts() (map[string]string, error) {
	texts := make(map[string]string)
	return texts, fs.WalkDir(knownFS, "known", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(knownFS, path)
		texts[strings.TrimPrefix(path, "known/")] = string(text)
		return err
	})
}
