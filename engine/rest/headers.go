package rest

import (
	"net/http"
	"net/textproto"
	"path"
	"slices"
	"strings"
	"time"
)

// Headers are what answers carry beside their content.
type Headers struct {
	// AllowOrigins are the origins whose pages may use the API in a browser, with *
	// for any text: access.control.allow.origin. None: only the API's own.
	AllowOrigins []string
	// AllowMethods are the methods that they may use; GET, POST and HEAD by default,
	// as in Kafka Connect (access.control.allow.methods).
	AllowMethods []string
	// Rules are those of response.http.headers.config.
	Rules []HeaderRule
}

// HeaderRule sets or adds a header of every answer.
type HeaderRule struct {
	Add  bool // to values that are there already
	Date bool // Value is milliseconds since 1970, shown as a date
	// Name and Value are the header's.
	Name, Value string
}

// corsHeaders are the request headers that pages of other origins may send.
const corsHeaders = "X-Requested-With,Content-Type,Accept,Origin,Authorization"

// Handler adds the headers to what next answers. It has to stand before Access: a
// browser asks without a password whether it may send one.
func (h Headers) Handler(next http.Handler) http.Handler {
	if len(h.AllowOrigins) == 0 && len(h.Rules) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, rule := range h.Rules {
			rule.apply(w.Header())
		}
		if h.allow(w.Header(), r) && isPreflight(r) {
			w.WriteHeader(http.StatusOK)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// allow answers a request of another origin's page, if it may make one.
func (h Headers) allow(header http.Header, r *http.Request) bool {
	if len(h.AllowOrigins) == 0 {
		return false
	}
	header.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	i := slices.IndexFunc(h.AllowOrigins, func(pattern string) bool {
		ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(origin, "/", "\x00"))
		return ok && err == nil
	})
	if origin == "" || i < 0 {
		return false
	}
	header.Set("Access-Control-Allow-Origin", origin)
	if h.AllowOrigins[i] != "*" { // whoever names no origin does not mean to lend passwords to all
		header.Set("Access-Control-Allow-Credentials", "true")
	}
	if isPreflight(r) {
		methods := h.AllowMethods
		if len(methods) == 0 {
			methods = []string{"GET", "POST", "HEAD"}
		}
		header.Set("Access-Control-Allow-Methods", strings.Join(methods, ","))
		header.Set("Access-Control-Allow-Headers", corsHeaders)
		header.Set("Access-Control-Max-Age", "1800")
	}
	return true
}

func (r HeaderRule) apply(header http.Header) {
	value := r.Value
	if r.Date {
		value = dateOf(value)
	}
	if r.Add {
		header.Add(r.Name, value)
	} else {
		header.Set(r.Name, value)
	}
}

// ParseHeaderRules reads response.http.headers.config: rules of the form
// "ACTION NAME:VALUE", separated by commas, in double quotes where they have some.
// ACTION is set, add, setDate or addDate.
func ParseHeaderRules(text string) ([]HeaderRule, error) {
	var rules []HeaderRule
	for _, part := range splitQuoted(text) {
		rule, err := parseHeaderRule(part)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// splitQuoted splits at commas that are not between double quotes, and takes the
// quotes off.
func splitQuoted(text string) []string {
	var parts []string
	quoted, start := false, 0
	add := func(end int) {
		if part := strings.TrimSpace(strings.ReplaceAll(text[start:end], `"`, "")); part != "" {
			parts = append(parts, part)
		}
		start = end + 1
	}
	for i := range len(text) {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == ',' && !quoted:
			add(i)
		}
	}
	add(max(start, len(text)))
	return parts
}

func parseHeaderRule(text string) (HeaderRule, error) {
	action, header, ok := strings.Cut(text, " ")
	if !ok {
		return HeaderRule{}, badRequest("Invalid format of header config '%s'. Expected: '[action] [header name]:[header value]'", text)
	}
	var rule HeaderRule
	switch strings.ToLower(action) {
	case "set":
	case "add":
		rule.Add = true
	case "setdate":
		rule.Date = true
	case "adddate":
		rule.Add, rule.Date = true, true
	default:
		return HeaderRule{}, badRequest("Invalid header config action: '%s'. Expected one of [set, add, setDate, addDate]", action)
	}
	name, value, ok := strings.Cut(header, ":")
	rule.Name, rule.Value = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(value)
	switch {
	case !ok:
		return HeaderRule{}, badRequest("Invalid format of header name and header value pair '%s'. Expected: '[header name]:[header value]'", header)
	case rule.Name == "" || strings.ContainsFunc(rule.Name, notToken):
		return HeaderRule{}, badRequest("Invalid header name '%s'. The '[header name]' cannot contain whitespace", rule.Name)
	case strings.ContainsAny(rule.Value, "\r\n\x00"):
		return HeaderRule{}, badRequest("Invalid value of the header '%s': it has a line break", rule.Name)
	case rule.Date && dateOf(rule.Value) == "":
		return HeaderRule{}, badRequest("Invalid date of the header '%s': give milliseconds since 1970", rule.Name)
	}
	return rule, nil
}

// notToken tells whether a character may not be in a header's name (RFC 9110).
func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// dateOf is the date of a text of milliseconds since 1970, or "".
func dateOf(text string) string {
	var ms int64
	for _, c := range []byte(text) {
		if c < '0' || c > '9' || ms > 1<<53 {
			return ""
		}
		ms = ms*10 + int64(c-'0')
	}
	if text == "" {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(http.TimeFormat)
}

// OnlyAdmin serves nothing of the API but its loggers, as the listeners of
// admin.listeners do.
func OnlyAdmin(api http.Handler) http.Handler { return onlyWhere(api, isAdmin) }

// WithoutAdmin serves the API without its loggers.
func WithoutAdmin(api http.Handler) http.Handler {
	return onlyWhere(api, func(path string) bool { return !isAdmin(path) })
}

func isAdmin(path string) bool { return path == "/admin" || strings.HasPrefix(path, "/admin/") }

func onlyWhere(api http.Handler, served func(path string) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !served(r.URL.Path) {
			writeError(w, statusError(http.StatusNotFound))
			return
		}
		api.ServeHTTP(w, r)
	})
}
