package postgres

import (
	"errors"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
)

// Names of the options that messages refer to.
const (
	optHostname          = "database.hostname"
	optPort              = "database.port"
	optUser              = "database.user"
	optPassword          = "database.password"
	optDatabase          = "database.dbname"
	optSSLMode           = "database.sslmode"
	optSSLCert           = "database.sslcert"
	optSSLKey            = "database.sslkey"
	optSSLPassword       = "database.sslpassword"
	optSSLRootCert       = "database.sslrootcert"
	optInitialStatements = "database.initial.statements"
	optReadOnly          = "read.only"
)

// connectionOptions say how to reach the database.
type connectionOptions struct {
	hostname    string
	port        int
	user        string
	password    connect.Secret
	database    string
	sslMode     string // disable, allow, prefer, require, verify-ca, verify-full
	sslCert     string // paths of files or PEM text
	sslKey      string
	sslPassword connect.Secret
	sslRootCert string
	keepAlive   bool
	// queryTimeout bounds a statement of an SQL connection; 0: no limit.
	queryTimeout time.Duration
	// connectTimeout bounds connecting, TLS and authentication included.
	connectTimeout time.Duration
	// initialStatements run on each new SQL connection, not on that of the stream.
	initialStatements []string
	// readOnly: nothing is ever written to the database.
	readOnly bool

	statements, sslFactory, connectionFactory string
}

func (o *connectionOptions) define(d *connect.Def) {
	d.Add(group(groupConnection,
		connect.Option{Name: optHostname, Var: &o.hostname, Required: true,
			Doc:        "Host name or address of the database server, or the folder of its Unix socket (an absolute path).",
			Importance: connect.High, Display: "Hostname"},
		connect.Option{Name: optPort, Var: &o.port, Default: "5432", Check: o.checkPort,
			Doc:        "Port of the database server.",
			Importance: connect.High, Display: "Port"},
		connect.Option{Name: optUser, Var: &o.user, Required: true,
			Doc:        "User to connect as. It needs the attributes LOGIN and REPLICATION, and SELECT on the captured tables for a snapshot.",
			Importance: connect.High, Display: "User"},
		connect.Option{Name: optPassword, Var: &o.password, NoDefault: true, Raw: true,
			Doc:        "Password of the user.",
			Importance: connect.High, Display: "Password"},
		connect.Option{Name: optDatabase, Var: &o.database, Required: true,
			Doc:        "Database to read. A replication slot belongs to one database, and so does a connector.",
			Importance: connect.High, Display: "Database"},
		connect.Option{Name: optReadOnly, Var: &o.readOnly, Default: "false",
			Doc: "Whether the connector never writes to the database. Incremental snapshots then find their place in the stream by " +
				"transaction ids instead of rows in the signal table; slot and publication are still made unless they are there.",
			Importance: connect.Medium, Display: "Read Only"},
		connect.Option{Name: "database.query.timeout.ms", Var: &o.queryTimeout, Default: "600000", Check: atLeast(&o.queryTimeout, 0),
			Doc:        "Milliseconds that a statement may take on the server, snapshots excepted; 0 is no limit.",
			Importance: connect.Low, Display: "Query Timeout (ms)"},
		connect.Option{Name: "connection.validation.timeout.ms", Var: &o.connectTimeout, Default: "60000", Check: atLeast(&o.connectTimeout, time.Millisecond),
			Doc:        "Milliseconds that connecting may take, TLS and authentication included.",
			Importance: connect.Low, Display: "Connection Timeout (ms)"},
		connect.Option{Name: "database.tcpKeepAlive", Var: &o.keepAlive, Default: "true",
			Doc:        "Whether TCP keep-alive probes find dead connections.",
			Importance: connect.Medium, Display: "TCP Keep-Alive"},
		connect.Option{Name: optInitialStatements, Var: &o.statements, Check: o.splitStatements,
			Doc: "SQL statements for each new connection, separated by a semicolon; two semicolons are one in a statement. " +
				"They do not run on the connection that carries the stream.",
			Width: connect.WidthLong, Importance: connect.Low, Display: "Initial Statements"},
	)...)
	d.Add(group(groupConnection, o.tls()...)...)
}

func (o *connectionOptions) tls() []connect.Option {
	const file = "the path of a PEM file, or PEM text"
	return []connect.Option{
		{Name: optSSLMode, Var: &o.sslMode, Default: "prefer", IgnoreCase: true,
			OneOf:      []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
			Doc:        "Whether the connection is encrypted, and how the server's certificate is checked.",
			Importance: connect.Medium, Display: "SSL Mode"},
		{Name: optSSLRootCert, Var: &o.sslRootCert,
			Doc:   "Certificates of the authorities that the server's certificate is checked with: " + file + ".",
			Width: connect.WidthLong, Importance: connect.Medium, Display: "SSL Root Certificate"},
		{Name: optSSLCert, Var: &o.sslCert, Dependents: []string{optSSLKey},
			Doc:   "Client certificate: " + file + ".",
			Width: connect.WidthLong, Importance: connect.Medium, Display: "SSL Client Certificate"},
		{Name: optSSLKey, Var: &o.sslKey, Dependents: []string{optSSLPassword},
			Doc:   "Private key of the client certificate: " + file + ", or the path of a PKCS-8 file in DER as PostgreSQL's Java driver wants it.",
			Width: connect.WidthLong, Importance: connect.Medium, Display: "SSL Client Key"},
		{Name: optSSLPassword, Var: &o.sslPassword, NoDefault: true, Raw: true,
			Doc:        "Password of the client key.",
			Importance: connect.Medium, Display: "SSL Client Key Password"},
		{Name: "database.sslfactory", Var: &o.sslFactory, Check: o.checkSSLFactory,
			Doc:        "A class of PostgreSQL's Java driver. Those that check certificates are accepted and change nothing; others are refused.",
			Importance: connect.Medium, Display: "SSL Socket Factory"},
		{Name: "database.connection.factory.class", Var: &o.connectionFactory,
			Check: refuse(&o.connectionFactory, "a connection factory is Java code and cannot be loaded: "+
				"set "+optUser+" and "+optPassword+" (a ${...} reference to a config provider keeps the password out of the config) and leave this option out"),
			Doc:        "Not supported: Java code that connects.",
			Importance: connect.Low, Display: "Connection Factory"},
	}
}

func (o *connectionOptions) checkPort() error {
	if o.port < 1 || o.port > 65535 {
		return errors.New("it must be between 1 and 65535")
	}
	return nil
}

func (o *connectionOptions) checkSSLFactory() error {
	name := o.sslFactory[strings.LastIndexByte(o.sslFactory, '.')+1:]
	switch name {
	case "", "LibPQFactory", "DefaultJavaSSLFactory":
		return nil
	case "NonValidatingFactory":
		return errors.New("leave it out and set " + optSSLMode + " to require, which does not check certificates either")
	}
	return errors.New("a socket factory is Java code and cannot be loaded: leave it out and set " + optSSLMode + " and " + optSSLRootCert)
}

// splitStatements takes the statements apart.
func (o *connectionOptions) splitStatements() error {
	o.initialStatements = nil
	const escaped = "\x00"
	if strings.Contains(o.statements, escaped) {
		return errors.New("it must not contain NUL")
	}
	for s := range strings.SplitSeq(strings.ReplaceAll(o.statements, ";;", escaped), ";") {
		if s = strings.TrimSpace(strings.ReplaceAll(s, escaped, ";")); s != "" {
			o.initialStatements = append(o.initialStatements, s)
		}
	}
	return nil
}
