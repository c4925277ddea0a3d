package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// schemaTimeout bounds a command that asks a registry.
const schemaTimeout = 5 * time.Minute

const schemaHelp = `Works with the schemas of a registry. diff and check also compare files, without one.

  sluice schema list [PREFIX]
        print the versions of the subjects that begin with PREFIX
  sluice schema get SUBJECT [VERSION]
  sluice schema get --id ID
        print a schema
  sluice schema register SUBJECT FILE
        make the schema of FILE the next version of SUBJECT
  sluice schema check SUBJECT FILE
  sluice schema check --level LEVEL FILE OLD ...
        tell whether FILE could be the next version: of SUBJECT, or after the files OLD, the newest last
  sluice schema diff SUBJECT VERSION VERSION
  sluice schema diff OLD NEW
        tell what keeps readers of either from reading data of the other, and what to do about it
  sluice schema set-level [--dry-run] LEVEL [SUBJECT]
        set the level of SUBJECT, or of all; --dry-run tells which versions would not have passed
  sluice schema export [PREFIX]
        print all versions, and the settings of their subjects, as JSON lines
  sluice schema import FILE
        take exported versions over with their ids (mode IMPORT)

Files are Avro schemas, .proto files Protobuf, those with a $schema in them JSON Schema; --type AVRO|JSON|PROTOBUF says otherwise.
check and diff end with exit code 1 when something is not compatible. Flags of all: --url, --user NAME:PASSWORD.
`

// schema works with schemas.
func (p *program) schema(args []string) error {
	name := "help"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	commands := map[string]func(*schemaCall) error{"list": schemaList, "get": schemaGet, "register": schemaRegister, "check": schemaCheck,
		"diff": schemaDiff, "set-level": schemaSetLevel, "export": schemaExport, "import": schemaImport}
	run, ok := commands[name]
	switch {
	case ok:
		return p.schemaRun(name, args, run)
	case name == "help" || name == "-h" || name == "-help" || name == "--help":
		fmt.Fprint(p.stdout, schemaHelp)
		return nil
	}
	return usageError{fmt.Errorf("unknown command \"schema %s\"; `sluice schema help` lists the commands", name)}
}

// schemaCall is a command with its flags and arguments.
type schemaCall struct {
	*program
	ctx    context.Context
	name   string
	args   []string
	client *sr.Client

	id                                 int
	level                              string
	normalize, deleted, dryRun, forced bool
	references                         []string // NAME=SUBJECT:VERSION, or NAME=FILE
	schemaType                         string
	global                             bool
}

func (p *program) schemaRun(name string, args []string, run func(*schemaCall) error) error {
	c := &schemaCall{program: p, name: name}
	fs := p.flags("schema "+name, "Usage: `sluice schema help` shows the arguments of each command.")
	address := fs.String("url", "http://"+defaultRegistry, "`URL` of the registry")
	user := fs.String("user", "", "`NAME:PASSWORD` for the registry; the environment variable SLUICE_REGISTRY_USER is not seen by others")
	c.define(fs)
	var err error
	if c.args, err = parseAround(fs, args); err != nil {
		return err
	}
	if *user == "" {
		for _, e := range p.environ {
			if v, ok := strings.CutPrefix(e, "SLUICE_REGISTRY_USER="); ok {
				*user = v
			}
		}
	}
	opts := []sr.ClientOpt{sr.URLs(*address)}
	if name, password, ok := strings.Cut(*user, ":"); ok {
		opts = append(opts, sr.BasicAuth(name, password))
	}
	if c.client, err = sr.NewClient(opts...); err != nil {
		return usageError{fmt.Errorf("--url %s: %w", *address, err)}
	}
	ctx, stop := p.signals()
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, schemaTimeout)
	defer cancel()
	c.ctx = ctx
	return run(c)
}

// define defines the flags that the command has.
func (c *schemaCall) define(fs *flag.FlagSet) {
	switch c.name {
	case "get":
		fs.IntVar(&c.id, "id", 0, "`ID` of the schema")
	case "list", "export":
		fs.BoolVar(&c.deleted, "deleted", false, "soft deleted versions too")
	case "check":
		fs.StringVar(&c.level, "level", "BACKWARD", "`level` at which files are compared")
	case "set-level":
		fs.BoolVar(&c.dryRun, "dry-run", false, "change nothing; compare all versions at the level")
	case "import":
		fs.BoolVar(&c.forced, "force", false, "into subjects that have schemas too")
	}
	if c.name == "export" || c.name == "import" {
		fs.BoolVar(&c.global, "global", false, "with the level of all subjects that have none of their own")
	}
	if c.name == "register" || c.name == "check" {
		fs.BoolVar(&c.normalize, "normalize", false, "as a normalized schema")
	}
	if c.name == "register" || c.name == "check" || c.name == "diff" {
		fs.StringVar(&c.schemaType, "type", "", "`type` of the schemas in files: AVRO, JSON or PROTOBUF; by default that of a .proto file or of a $schema in it, else AVRO")
		fs.Func("reference", "`NAME=SUBJECT:VERSION` that the schema refers to, NAME=FILE where files are compared; can be given several times", c.addReference)
	}
}

func (c *schemaCall) addReference(text string) error {
	if name, target, _ := strings.Cut(text, "="); name == "" || target == "" {
		return errors.New("want NAME=SUBJECT:VERSION, or NAME=FILE where files are compared")
	}
	c.references = append(c.references, text)
	return nil
}

// want checks the number of arguments.
func (c *schemaCall) want(least, most int) error {
	if len(c.args) < least || len(c.args) > most {
		return usageError{fmt.Errorf("schema %s has %d arguments; `sluice schema help` shows which it takes", c.name, len(c.args))}
	}
	return nil
}

// context has the parameters of a request.
func (c *schemaCall) params(p ...sr.Param) context.Context {
	if c.normalize {
		p = append(p, sr.Normalize)
	}
	return sr.WithParams(c.ctx, p...)
}

// versionJSON is a version of a subject in lists, exports and imports.
type versionJSON struct {
	Subject    string          `json:"subject"`
	Version    int             `json:"version"`
	ID         int             `json:"id"`
	Type       string          `json:"schemaType,omitempty"`
	References json.RawMessage `json:"references,omitempty"`
	Metadata   json.RawMessage `json:"metadata,omitempty"`
	Rules      json.RawMessage `json:"ruleSet,omitempty"`
	Schema     string          `json:"schema"`
	Deleted    bool            `json:"deleted,omitempty"`
}

// versions fetches the versions of the subjects that begin with a prefix.
func (c *schemaCall) versions() ([]versionJSON, error) {
	prefix := ":*:"
	if len(c.args) > 0 {
		prefix = c.args[0]
	}
	const page = 1000
	var all []versionJSON
	for {
		params := []sr.Param{sr.SubjectPrefix(prefix), sr.Offset(len(all)), sr.Limit(page)}
		if c.deleted {
			params = append(params, sr.ShowDeleted)
		}
		var some []versionJSON
		if err := c.client.Do(c.params(params...), "GET", "/schemas", nil, &some); err != nil {
			return nil, err
		}
		if all = append(all, some...); len(some) < page {
			return all, nil
		}
	}
}

func schemaList(c *schemaCall) error {
	if err := c.want(0, 1); err != nil {
		return err
	}
	all, err := c.versions()
	for _, v := range all {
		deleted := ""
		if v.Deleted {
			deleted = " deleted"
		}
		fmt.Fprintf(c.stdout, "%s version %d id %d%s\n", v.Subject, v.Version, v.ID, deleted)
	}
	return err
}

func schemaGet(c *schemaCall) error {
	if c.id > 0 {
		if err := c.want(0, 0); err != nil {
			return err
		}
		s, err := c.client.SchemaByID(c.ctx, c.id)
		return errors.Join(err, c.print(s.Schema))
	}
	if err := c.want(1, 2); err != nil {
		return err
	}
	s, err := c.version(append(c.args, "latest")[1])
	if err != nil {
		return err
	}
	return c.print(s)
}

// version fetches a version of the subject that is the first argument.
func (c *schemaCall) version(number string) (string, error) {
	var v versionJSON
	err := c.client.Do(c.ctx, "GET", "/subjects/"+url.PathEscape(c.args[0])+"/versions/"+url.PathEscape(number), nil, &v)
	return v.Schema, err
}

// print prints a schema, indented when it is JSON.
func (c *schemaCall) print(text string) error {
	if text == "" {
		return nil
	}
	var indented bytes.Buffer
	if json.Indent(&indented, []byte(text), "", "  ") == nil {
		text = indented.String()
	}
	_, err := fmt.Fprintln(c.stdout, text)
	return err
}

func schemaRegister(c *schemaCall) error {
	if err := c.want(2, 2); err != nil {
		return err
	}
	s, err := c.fromFile(c.args[1])
	if err != nil {
		return err
	}
	v, err := c.client.CreateSchema(c.params(), c.args[0], s)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s version %d id %d\n", v.Subject, v.Version, v.ID)
	return nil
}

// files tells whether all arguments are files, so that no registry is asked.
func (c *schemaCall) files() bool {
	return len(c.args) > 0 && !slices.ContainsFunc(c.args, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || info.IsDir()
	})
}
