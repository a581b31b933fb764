// Every document of the example, typed by the server's schema.
import { graphql } from './generated/index.js';

export const SignIn = graphql(/* GraphQL */ `
  mutation SignIn($input: SessionCreateInput!) {
    sessionCreate(input: $input) { session { token expiresAt } userErrors { code field message } }
  }
`);

export const CreateVertical = graphql(/* GraphQL */ `
  mutation CreateVertical($input: VerticalCreateInput!) {
    verticalCreate(input: $input) { vertical { id } userErrors { code field message } }
  }
`);

export const CreateCampaign = graphql(/* GraphQL */ `
  mutation CreateCampaign($input: CampaignCreateInput!) {
    campaignCreate(input: $input) { campaign { id version } userErrors { code field message } }
  }
`);

export const CreateSupplier = graphql(/* GraphQL */ `
  mutation CreateSupplier($input: SupplierCreateInput!) {
    supplierCreate(input: $input) { supplier { id } userErrors { code field message } }
  }
`);

export const CreateSource = graphql(/* GraphQL */ `
  mutation CreateSource($input: SourceCreateInput!) {
    sourceCreate(input: $input) { source { id } userErrors { code field message } }
  }
`);

export const CreateSourceKey = graphql(/* GraphQL */ `
  mutation CreateSourceKey($input: SourceKeyCreateInput!) {
    sourceKeyCreate(input: $input) { secret userErrors { code field message } }
  }
`);

export const CreateBuyer = graphql(/* GraphQL */ `
  mutation CreateBuyer($input: BuyerCreateInput!) {
    buyerCreate(input: $input) { buyer { id } userErrors { code field message } }
  }
`);

export const CreateDestination = graphql(/* GraphQL */ `
  mutation CreateDestination($input: DestinationCreateInput!) {
    destinationCreate(input: $input) { destination { id } userErrors { code field message } }
  }
`);

export const CreateContract = graphql(/* GraphQL */ `
  mutation CreateContract($input: ContractCreateInput!) {
    contractCreate(input: $input) { contract { id } userErrors { code field message } }
  }
`);

export const TopUp = graphql(/* GraphQL */ `
  mutation TopUp($input: WalletCreditInput!) {
    walletTopUp(input: $input) { wallet { balance { amountMinor currency } } userErrors { code field message } }
  }
`);

export const SubmitLead = graphql(/* GraphQL */ `
  mutation SubmitLead($input: LeadSubmitInput!) {
    leadSubmit(input: $input) {
      submission { state check message lead { id } payout { amountMinor currency } }
      userErrors { code field message }
    }
  }
`);

export const LeadStory = graphql(/* GraphQL */ `
  query LeadStory($id: ID!) {
    lead(id: $id) {
      id
      state
      sales { id state price { amountMinor currency } buyer { name } deliveries { state } }
      decision { outcome contracts { contractName rank refusal { check message } } }
    }
  }
`);

export const OpenComplaint = graphql(/* GraphQL */ `
  mutation OpenComplaint($input: ComplaintOpenInput!) {
    complaintOpen(input: $input) { complaint { id state } userErrors { code field message } }
  }
`);

export const DecideComplaint = graphql(/* GraphQL */ `
  mutation DecideComplaint($input: ComplaintDecideInput!) {
    complaintDecide(input: $input) { complaint { id state credit { amountMinor currency } } userErrors { code field message } }
  }
`);

export const Books = graphql(/* GraphQL */ `
  query Books($buyer: ID!, $range: DayRange!) {
    profitAndLoss(range: $range, by: CAMPAIGN) {
      name
      revenue { amountMinor }
      credits { amountMinor }
      payout { amountMinor }
      profit { amountMinor }
    }
    buyer(id: $buyer) { name wallets { balance { amountMinor currency } } }
  }
`);
