//! Permissions: what AddPermission asks for.

use domain::policy::Permission;

use crate::generated::types;

/// Reads AddPermission.
pub(crate) fn permission(asked: types::AddPermissionRequest) -> Permission {
    Permission {
        sid: asked.statement_id,
        action: asked.action,
        principal: asked.principal,
        source_arn: asked.source_arn,
        source_account: asked.source_account,
        event_source_token: asked.event_source_token,
        principal_organization: asked.principal_org_id,
        url_auth_type: asked.function_url_auth_type.map(types::FunctionUrlAuthType::as_str),
        via_url: asked.invoked_via_function_url,
    }
}
