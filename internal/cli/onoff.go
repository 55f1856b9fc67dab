package cli

import "fmt"

// onOff is a flag that is on or off.
type onOff bool

// String implements pflag.Value.
func (o *onOff) String() string {
	if *o {
		return "on"
	}
	return "off"
}

// Set implements pflag.Value.
func (o *onOff) Set(s string) error {
	switch s {
	case "on":
		*o = true
	case "off":
		*o = false
	default:
		return fmt.Errorf("use on or off")
	}
	return nil
}

// Type implements pflag.Value.
func (o *onOff) Type() string { return "on|off" }
