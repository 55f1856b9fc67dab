package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lambhq/lamb/internal/awsclient"
)

// targetFlags say which service a command calls.
type targetFlags struct{ awsclient.Options }

func (t *targetFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.Target, "target", "lamb", "`service` to call: lamb (at "+awsclient.DefaultLamb+"), aws, or a URL")
	f.StringVar(&t.Region, "region", "", "AWS `region` (default: as the AWS CLI finds it)")
	choices(cmd, "target", "lamb", "aws")
	f.StringVar(&t.Profile, "profile", "", "`profile` of ~/.aws/config (default: as the AWS CLI finds it)")
}

func (t *targetFlags) open(ctx context.Context) (*awsclient.Client, error) {
	o := t.Options
	o.MFA = askMFA
	return awsclient.Open(ctx, o)
}
