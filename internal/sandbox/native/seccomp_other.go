//go:build linux && !amd64 && !arm64

package native

const auditArch = 0

func archDenials() []Denial { return nil }
