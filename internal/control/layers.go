package control

import (
	"strings"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

// maxLayers is how many layers a function may use.
const maxLayers = 5

// setLayers takes the empty list, which is every function's; there are no
// layers, so any other names one that does not exist.
func setLayers(cfg *function.Config, key function.Key, in *api.UpdateFunctionConfigurationRequest) error {
	if in.Layers == nil {
		return nil
	}
	if len(in.Layers) > maxLayers {
		return invalidParameter("Cannot reference more than 5 layers.")
	}
	for _, arn := range in.Layers {
		// arn:<partition>:lambda:<region>:...
		if f := strings.SplitN(arn, ":", 5); len(f) == 5 && f[3] != "" && f[3] != key.Region {
			return invalidParameter("Layers are not in the same region as the function. " +
				"Layers are expected to be in region " + key.Region + ".")
		}
	}
	if len(in.Layers) > 0 {
		return invalidParameter("Layer version " + in.Layers[0] + " does not exist.")
	}
	cfg.Layers = nil
	return nil
}
