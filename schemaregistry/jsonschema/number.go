package jsonschema

import (
	"math/big"
	"strconv"
	"strings"
)

const (
	// maxNumberLength is how long a number may be, in Jackson too.
	maxNumberLength = 1000
	// maxExponent bounds numbers that are computed with (I5).
	maxExponent = 1000
)

// javaNumber writes a number as Java does: integers in their digits, others as BigDecimal.toString, which keeps trailing zeros.
func javaNumber(token string) (string, error) {
	if len(token) > maxNumberLength {
		return "", invalid("", "not JSON: a number has more than %d characters", maxNumberLength)
	}
	if !strings.ContainsAny(token, ".eE") {
		if token == "-0" {
			return "0", nil
		}
		return token, nil
	}
	digits, negative := strings.CutPrefix(token, "-")
	mantissa, exponentText, _ := strings.Cut(strings.ToLower(digits), "e")
	exponent := int64(0)
	if exponentText != "" {
		n, err := strconv.ParseInt(exponentText, 10, 32)
		if err != nil {
			return "", invalid("", "not JSON: the exponent of %s is too large", token)
		}
		exponent = n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	unscaled := strings.TrimLeft(whole+fraction, "0")
	if unscaled == "" {
		unscaled, negative = "0", false
	}
	text := decimalText(unscaled, int64(len(fraction))-exponent)
	if negative {
		return "-" + text, nil
	}
	return text, nil
}

// decimalText is BigDecimal.toString of unscaled × 10^-scale.
func decimalText(unscaled string, scale int64) string {
	adjusted := int64(len(unscaled)) - 1 - scale
	switch {
	case scale == 0:
		return unscaled
	case scale > 0 && adjusted >= -6:
		if missing := scale + 1 - int64(len(unscaled)); missing > 0 {
			unscaled = strings.Repeat("0", int(missing)) + unscaled
		}
		point := len(unscaled) - int(scale)
		return unscaled[:point] + "." + unscaled[point:]
	}
	text := unscaled[:1]
	if len(unscaled) > 1 {
		text += "." + unscaled[1:]
	}
	if adjusted == 0 {
		return text
	}
	sign := ""
	if adjusted > 0 {
		sign = "+"
	}
	return text + "E" + sign + strconv.FormatInt(adjusted, 10)
}

// float is a number as a double, which is what limits are compared as.
func float(text string) float64 {
	f, _ := strconv.ParseFloat(text, 64) // too large a number is infinite
	return f
}

// rational is a number to compute with; ok is false when it has too large an exponent.
func rational(text string) (r *big.Rat, ok bool) {
	if i := strings.IndexByte(text, 'E'); i >= 0 {
		if e, err := strconv.Atoi(text[i+1:]); err != nil || e > maxExponent || e < -maxExponent {
			return nil, false
		}
	}
	return new(big.Rat).SetString(text)
}

// isMultiple tells whether a is a multiple of b.
func isMultiple(a, b *big.Rat) bool {
	return b.Sign() != 0 && new(big.Rat).Quo(a, b).IsInt()
}
